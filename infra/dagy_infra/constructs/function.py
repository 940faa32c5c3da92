"""One Lambda function of a stage, with a role and a log group of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aws_cdk import Duration, RemovalPolicy, Size
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from dagy.core.errors import InvalidInput
from dagy_infra.assets import Asset
from dagy_infra.stages import StageConfig

_MAX_EVENT_AGE: Final = Duration.hours(6)  # the longest Lambda keeps a throttled invocation; the reconciler is quicker
_ARCHITECTURES: Final = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}
_RETENTION: Final = {
    1: logs.RetentionDays.ONE_DAY,
    7: logs.RetentionDays.ONE_WEEK,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


@dataclass(frozen=True, slots=True)
class FunctionSettings:
    """What all functions of a stage have in common."""

    stage: str
    architecture: str
    python_version: str
    log_retention_days: int

    @classmethod
    def of(cls, stage: StageConfig) -> FunctionSettings:
        return cls(stage.name, stage.architecture, stage.python_version, stage.log_retention_days)


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
    ) -> None:
        super().__init__(scope, construct_id)
        self.timeout_s: Final = timeout_s
        self.log_group: Final = log_group(self, "Log", settings.log_retention_days)
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
        )
        self.allow(
            iam.PolicyStatement(
                sid="WriteOwnLog",
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[self.log_group.log_group_arn],
            )
        )

    @property
    def name(self) -> str:
        return self.function.function_name

    @property
    def arn(self) -> str:
        return self.function.function_arn

    def allow(self, *statements: iam.PolicyStatement) -> None:
        self.policy.add_statements(*statements)

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


def invoking(sid: str | None, *functions: StageFunction) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid, actions=["lambda:InvokeFunction"], resources=[function.arn for function in functions]
    )


def log_group(scope: Construct, construct_id: str, retention_days: int, *, name: str | None = None) -> logs.LogGroup:
    if retention_days not in _RETENTION:
        raise InvalidInput(
            f"Logs cannot be kept for {retention_days} days", f"One of: {', '.join(map(str, _RETENTION))}"
        )
    return logs.LogGroup(
        scope,
        construct_id,
        log_group_name=name,
        retention=_RETENTION[retention_days],
        removal_policy=RemovalPolicy.DESTROY,
    )
