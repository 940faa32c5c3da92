"""One Lambda function of a stage, with a role and a log group of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aws_cdk import Duration, RemovalPolicy, Size
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from dagy.core.errors import InvalidInput
from dagy_infra.assets import Asset
from dagy_infra.constructs.accepted import NAMELESS, WildcardStatement, accept
from dagy_infra.constructs.encryption import using
from dagy_infra.constructs.network import Network, attaching, not_attaching
from dagy_infra.stages import StageConfig

_MAX_EVENT_AGE: Final = Duration.hours(6)  # the longest Lambda keeps a throttled invocation; the reconciler is quicker
_ARCHITECTURES: Final = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}
RETENTION: Final = {
    1: logs.RetentionDays.ONE_DAY,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    731: logs.RetentionDays.TWO_YEARS,
    1827: logs.RetentionDays.FIVE_YEARS,
    3653: logs.RetentionDays.TEN_YEARS,
}


@dataclass(frozen=True, slots=True)
class FunctionSettings:
    """What all functions of a stage have in common."""

    stage: str
    architecture: str
    python_version: str
    log_retention_days: int
    key: kms.IKey | None = None
    """What their logs, the bucket, the table and the dead letters are encrypted with, instead of keys of AWS's own."""
    is_traced: bool = False
    """Whether X-Ray gets a sample of the invocations. It is billed by the trace."""

    @classmethod
    def of(cls, stage: StageConfig, *, key: kms.IKey | None = None) -> FunctionSettings:
        return cls(
            stage.name, stage.architecture, stage.python_version, stage.log_retention_days, key, stage.has_tracing
        )


class StageFunction(Construct):
    """A function that may write its own log and nothing else, until `allow` is called.

    Its policy is a resource beside the role, so that functions may name each other in policies (and themselves)
    without a dependency cycle.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: FunctionSettings,
        description: str,
        handler: str,
        asset: Asset,
        memory_mib: int,
        timeout_s: int,
        environment: Mapping[str, str],
        storage_mib: int = 512,
        network: Network | None = None,
        security_groups: Sequence[ec2.ISecurityGroup] = (),
    ) -> None:
        super().__init__(scope, construct_id)
        self.timeout_s: Final = timeout_s
        self.log_group: Final = log_group(self, "Log", settings)
        self.role: Final = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.policy: Final = iam.Policy(self, "Policy", roles=[self.role])
        self.function: Final = lambda_.Function(
            self,
            "Function",
            description=description,
            handler=handler,
            code=lambda_.Code.from_asset(str(asset.path), asset_hash=asset.info.contents_sha256),
            runtime=lambda_.Runtime(f"python{settings.python_version}", lambda_.RuntimeFamily.PYTHON),
            architecture=_ARCHITECTURES[settings.architecture],
            memory_size=memory_mib,
            timeout=Duration.seconds(timeout_s),
            ephemeral_storage_size=Size.mebibytes(storage_mib),
            environment={"DAGY_STAGE": settings.stage, **environment},
            role=self.role.without_policy_updates(),
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            # A run continues in a new invocation of the same function; AWS would end such a chain after 16.
            recursive_loop=lambda_.RecursiveLoop.ALLOW,
            tracing=lambda_.Tracing.ACTIVE if settings.is_traced else None,
            vpc=network.vpc if network else None,
            vpc_subnets=network.subnets if network else None,
            security_groups=security_groups if network else None,
        )
        accept(self.function, "L1", "Flows bring wheels of this Python; the next one comes with a release that says so")
        self.allow(
            iam.PolicyStatement(
                sid="WriteOwnLog",
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[self.log_group.log_group_arn],
            )
        )
        if settings.key is not None:
            self.allow(using(settings.key))
        if settings.is_traced:
            self.allow(_tracing())
        if network is not None:
            self._attach()

    @property
    def name(self) -> str:
        return self.function.function_name

    @property
    def arn(self) -> str:
        return self.function.function_arn

    def allow(self, *statements: iam.PolicyStatement) -> None:
        self.policy.add_statements(*statements)
        for statement in statements:
            if isinstance(statement, WildcardStatement):
                statement.accept_in(self.policy)

    def _attach(self) -> None:
        """A policy of its own: the function waits for it, and `policy` often names the function."""
        policy = iam.Policy(self, "Network", roles=[self.role])
        statement = attaching()
        policy.add_statements(statement)
        statement.accept_in(policy)
        self.function.node.add_dependency(policy)
        self.allow(not_attaching(self.arn))

    def send_failures_to(self, destination: StageFunction | sqs.Queue) -> None:
        """What Lambda gives up on, after two retries or six hours, goes there with the reason."""
        if isinstance(destination, StageFunction):
            arn = destination.arn
            self.allow(invoking("SendFailures", destination))
        else:
            arn = destination.queue_arn
            self.allow(iam.PolicyStatement(sid="SendFailures", actions=["sqs:SendMessage"], resources=[arn]))
        config = lambda_.CfnEventInvokeConfig(
            self,
            "AsyncInvoke",
            function_name=self.name,
            qualifier="$LATEST",
            maximum_retry_attempts=2,
            maximum_event_age_in_seconds=_MAX_EVENT_AGE.to_seconds(),
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=arn)
            ),
        )
        config.node.add_dependency(self.policy)  # Lambda checks at creation that the role may reach the destination


def _tracing() -> iam.PolicyStatement:
    return WildcardStatement(
        reason=NAMELESS,
        sid="SendTraces",
        actions=["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
        resources=["*"],
    )


def invoking(sid: str | None, *functions: StageFunction) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid, actions=["lambda:InvokeFunction"], resources=[function.arn for function in functions]
    )


def log_group(scope: Construct, construct_id: str, settings: FunctionSettings) -> logs.LogGroup:
    retention_days = settings.log_retention_days
    if retention_days not in RETENTION:
        raise InvalidInput(
            f"Logs cannot be kept for {retention_days} days", f"One of: {', '.join(map(str, RETENTION))}"
        )
    return logs.LogGroup(
        scope,
        construct_id,
        encryption_key=settings.key,
        retention=RETENTION[retention_days],
        removal_policy=RemovalPolicy.DESTROY,
    )
