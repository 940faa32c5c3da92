"""The containers that tasks with executor `ecs` run in: a task definition per size, and the machine that starts them.

Nothing of it costs anything while no container runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aws_cdk import Aws, Tags
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from dagy.core.sizes import SHAPES, Size
from dagy_infra.assets import Asset
from dagy_infra.constructs.accepted import WildcardStatement, accept
from dagy_infra.constructs.container_machine import CONTAINER, ContainerMachine
from dagy_infra.constructs.encryption import using
from dagy_infra.constructs.function import FunctionSettings, StageFunction, log_group
from dagy_infra.constructs.network import Network

START: Final = (Path(__file__).parents[1] / "container_start.py").read_text(encoding="utf-8")
_IMAGE: Final = "public.ecr.aws/lambda/python"
_ARCHITECTURES: Final = {"arm64": "ARM64", "x86_64": "X86_64"}
_TEMP: Final = "temp"


@dataclass(frozen=True, slots=True)
class ContainersProps:
    settings: FunctionSettings
    asset: Asset
    """The runtime, the same zip as the functions'."""
    sizes: Sequence[Size]
    environment: Mapping[str, str]
    """As the functions have it, but for the size."""
    failures: StageFunction
    network: Network
    security_groups: Sequence[ec2.ISecurityGroup]


class Containers(Construct):
    """Tasks run in them with the rights of `allow`, which are a flow's: those of the runtime functions' roles."""

    def __init__(self, scope: Construct, construct_id: str, props: ContainersProps) -> None:
        super().__init__(scope, construct_id)
        settings = props.settings
        self._role: Final = _role(self, "Task")
        self._policy: Final = iam.Policy(self, "TaskPolicy", roles=[self._role])
        self._code: Final = s3_assets.Asset(
            self, "Code", path=str(props.asset.path), asset_hash=props.asset.info.contents_sha256
        )
        self._log: Final = log_group(self, "Log", settings)
        starter = self._starter()
        cluster = ecs.CfnCluster(self, "Cluster")
        accept(cluster, "ECS4", "Container Insights are billed by the metric; runs say more about their tasks")
        family = f"Dagy-{settings.stage}"
        for size in props.sizes:
            self._task_definition(f"{family}-{size}", size, props, starter)
        self.machine: Final = ContainerMachine(
            self,
            "Machine",
            cluster_arn=cluster.attr_arn,
            cluster_name=cluster.ref,
            family=family,
            network=_network(props),
            failures=props.failures,
        )
        self.machine.may_run(
            [f"{family}-{size}" for size in props.sizes], cluster_arn=cluster.attr_arn, roles=[self._role, starter]
        )
        self.allow(
            iam.PolicyStatement(
                sid="FetchRuntime",
                actions=["s3:GetObject"],
                resources=[f"{self._code.bucket.bucket_arn}/{self._code.s3_object_key}"],
            )
        )
        if settings.key is not None:
            self.allow(using(settings.key))
        Tags.of(self).add("dagy:component", "containers")

    def allow(self, *statements: iam.PolicyStatement) -> None:
        self._policy.add_statements(*statements)
        for statement in statements:
            if isinstance(statement, WildcardStatement):
                statement.accept_in(self._policy)

    def _starter(self) -> iam.Role:
        """Of Fargate itself, before the container runs: it writes the log. A public image needs no right."""
        role = _role(self, "Starter")
        writing = iam.PolicyStatement(
            sid="WriteLogOfContainers",
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[self._log.log_group_arn],
        )
        iam.Policy(self, "StarterPolicy", roles=[role], statements=[writing])
        return role

    def _task_definition(self, family: str, size: Size, props: ContainersProps, starter: iam.Role) -> None:
        shape, settings = SHAPES[size], props.settings
        environment = {
            "DAGY_STAGE": settings.stage,
            "DAGY_SIZE": size.value,
            "DAGY_CODE_BUCKET": self._code.s3_bucket_name,
            "DAGY_CODE_KEY": self._code.s3_object_key,
            **props.environment,
        }
        container = ecs.CfnTaskDefinition.ContainerDefinitionProperty(
            name=CONTAINER,
            image=f"{_IMAGE}:{settings.python_version}",
            entry_point=["python", "-c", START],
            environment=[
                ecs.CfnTaskDefinition.KeyValuePairProperty(name=name, value=value)
                for name, value in environment.items()
            ],
            essential=True,
            readonly_root_filesystem=True,  # as on Lambda, where there is nothing but /tmp, too
            mount_points=[
                ecs.CfnTaskDefinition.MountPointProperty(source_volume=_TEMP, container_path="/tmp", read_only=False)  # noqa: S108
            ],
            log_configuration=ecs.CfnTaskDefinition.LogConfigurationProperty(
                log_driver="awslogs",
                options={
                    "awslogs-group": self._log.log_group_name,
                    "awslogs-region": Aws.REGION,
                    "awslogs-stream-prefix": size.value,
                },
            ),
        )
        definition = ecs.CfnTaskDefinition(
            self,
            size.value.capitalize(),
            family=family,
            cpu=str(shape.fargate_cpu_units),
            memory=str(shape.fargate_memory_mib),
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            runtime_platform=ecs.CfnTaskDefinition.RuntimePlatformProperty(
                cpu_architecture=_ARCHITECTURES[settings.architecture], operating_system_family="LINUX"
            ),
            task_role_arn=self._role.role_arn,
            execution_role_arn=starter.role_arn,
            volumes=[ecs.CfnTaskDefinition.VolumeProperty(name=_TEMP)],
            container_definitions=[container],
        )
        accept(definition, "ECS2", "They are names of the stage's own resources, as its functions have them; no secret")
        Tags.of(definition).add("dagy:size", size.value)


def _role(scope: Construct, construct_id: str) -> iam.Role:
    return iam.Role(scope, construct_id, assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))


def _network(props: ContainersProps) -> dict[str, Any]:
    network = props.network
    return {
        "Subnets": network.subnet_ids(),
        "SecurityGroups": [group.security_group_id for group in props.security_groups],
        "AssignPublicIp": "ENABLED" if network.is_public else "DISABLED",
    }
