"""All of Dagy as one construct, for a CDK app of your own. What `dagy infra deploy` makes is this too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aws_cdk import Aws, Stack, Tags
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_ssm as ssm
from constructs import Construct, IConstruct

from dagy.version import VERSION
from dagy_infra.assets import KINDS, Asset, Kind, find_asset, target_of
from dagy_infra.constructs.api import Api, ApiProps
from dagy_infra.constructs.artifact_store import ArtifactStore, ArtifactStoreProps
from dagy_infra.constructs.control import Control, ControlProps
from dagy_infra.constructs.domain import Domain
from dagy_infra.constructs.encryption import let_services_use, using
from dagy_infra.constructs.failures import Failures, FailuresProps
from dagy_infra.constructs.function import FunctionSettings
from dagy_infra.constructs.metrics import StageMetrics
from dagy_infra.constructs.network import Network
from dagy_infra.constructs.observability import Observability, ObservabilityProps
from dagy_infra.constructs.run_table import RunTable, RunTableProps
from dagy_infra.constructs.runtimes import Runtimes, RuntimesProps
from dagy_infra.constructs.scheduling import Scheduling, SchedulingProps
from dagy_infra.constructs.timer import Timer
from dagy_infra.constructs.user_pool import UserPool, UserPoolProps
from dagy_infra.stages import StageConfig

MANIFEST_SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class DagyPlatformProps:
    stage: StageConfig
    """From `stage_config("prod")`. Its name is in the bucket's and the manifest's: one of each per region."""
    assets: Mapping[Kind, Asset] | None = None
    """The Lambda zips. None: those that `python -m dagy_infra.assets` built."""
    store: ArtifactStore | None = None
    table: RunTable | None = None
    users: UserPool | None = None
    """What must survive, when it is in a stack of its own. None: they are made here, and kept when the stack goes."""
    key: kms.IKey | None = None
    """What data, logs and dead letters are encrypted with. None: keys of AWS's own, which cost nothing."""
    network: Network | None = None
    """The VPC that flows run in. None: none."""
    domain: Domain | None = None
    alarm_topic: sns.ITopic | None = None


class DagyPlatform(Construct):
    """A stage: store, table, runtimes, API, schedules, alarms, and the manifest that the command line finds it by."""

    def __init__(self, scope: Construct, construct_id: str, props: DagyPlatformProps) -> None:
        super().__init__(scope, construct_id)
        stage, self._key = props.stage, props.key
        is_emulated = stage.emulator is not None
        assets = props.assets or {kind: find_asset(kind, target_of(stage)) for kind in KINDS}
        settings, runtime = FunctionSettings.of(stage, key=props.key), assets["runtime"]
        self.store: Final = props.store or artifact_store(self, stage, props.key)
        self.table: Final = props.table or run_table(self, stage, props.key)
        self.users: Final = props.users or user_pool(self, stage)
        timer, timer_of_runtimes = Timer(self, "Timer"), Timer(self, "RuntimeTimer")
        self.failures: Final = Failures(
            self,
            "Failures",
            FailuresProps(settings, runtime, self.store, self.table, requires_tls=not is_emulated),
        )
        self.runtimes: Final = Runtimes(
            self,
            "Runtimes",
            RuntimesProps(
                settings,
                runtime,
                self.store,
                self.table,
                timer_of_runtimes,
                self.failures,
                stage.sizes,
                props.network,
                stage.has_containers,
            ),
        )
        """Flows have the rights of these functions' roles: give them what your flows need."""
        self.control: Final = Control(
            self,
            "Control",
            ControlProps(settings, runtime, self.store, self.table, timer, self.runtimes, self.failures),
        )
        self.scheduling: Final = Scheduling(self, "Scheduling", SchedulingProps(self.control, is_emulated=is_emulated))
        self.api: Final = Api(
            self,
            "Api",
            ApiProps(
                settings,
                assets["api"],
                self.store,
                self.table,
                timer,
                self.runtimes,
                self.control,
                self.scheduling,
                self.users,
                requests_per_s=stage.api_requests_per_s,
                burst=stage.api_burst,
                domain=props.domain,
                emulator_endpoint_url=stage.emulator.endpoint_url if stage.emulator else None,
            ),
        )
        self.metrics: Final = StageMetrics(
            stage.name,
            self.runtimes,
            self.control,
            self.failures,
            self.api,
            self.scheduling,
            self.table,
            {"stage": timer, "runtimes": timer_of_runtimes},
        )
        if stage.has_alarms or stage.has_dashboard:
            Observability(
                self,
                "Observability",
                ObservabilityProps(self.metrics, stage.has_alarms, props.alarm_topic, stage.has_dashboard),
            )
        if props.key is not None:
            let_services_use(props.key)
        self.manifest: Final = self._manifest(stage)
        self._parameter: Final = ssm.StringParameter(
            self,
            "Manifest",
            parameter_name=stage.manifest_parameter,
            string_value=Stack.of(self).to_json_string(self.manifest),
            description=f"Where everything of Dagy stage {stage.name} is",
        )
        tag(self, stage)

    @property
    def api_url(self) -> str:
        return self.api.url

    def grant_trigger(self, grantee: iam.IGrantable) -> iam.Grant:
        """To start runs of any deployment, without an API key: by invoking `control.function` asynchronously with what
        `dagy_runtime.messages.StartRun` says. Code of ours only: flows have no such right.
        """
        return iam.Grant.add_to_principal(
            grantee=grantee, actions=["lambda:InvokeFunction"], resource_arns=[self.control.function.arn]
        )

    def grant_deploy(self, grantee: iam.IGrantable) -> None:
        """What `dagy deploy` needs of AWS: to find the stage and to upload artifacts. Registering them takes an API key
        besides, of role `developer`.
        """
        statements = [*self.store.uploading(), _reading(self._parameter)]
        if self._key is not None:
            statements.append(using(self._key))
        for statement in statements:
            grantee.grant_principal.add_to_principal_policy(statement)

    def _manifest(self, stage: StageConfig) -> dict[str, Any]:
        return {
            "schema_version": MANIFEST_SCHEMA_VERSION,
            "stack_version": VERSION,
            "stage": stage.name,
            "region": Aws.REGION,
            "account": Aws.ACCOUNT_ID,
            "api_url": self.api_url,
            "app_url": self.api.sign_in.app_url,
            "bucket": self.store.bucket.bucket_name,
            "table": self.table.table.table_name,
            "issuer": self.users.issuer,
            "client_id": self.api.sign_in.client.ref,
            "sign_in_url": self.api.sign_in.url,
            "sizes": [size.value for size in stage.sizes],
        }


def tag(scope: IConstruct, stage: StageConfig) -> None:
    """For cost allocation; constructs add `dagy:component` and `dagy:size`. Yours cannot take the place of Dagy's."""
    for name, value in {**stage.tags, "dagy:stage": stage.name, "dagy:version": VERSION}.items():
        Tags.of(scope).add(name, value)


def artifact_store(scope: Construct, stage: StageConfig, key: kms.IKey | None) -> ArtifactStore:
    return ArtifactStore(
        scope,
        "ArtifactStore",
        ArtifactStoreProps(
            stage=stage.name,
            run_retention_days=stage.run_retention_days,
            requires_tls=stage.emulator is None,
            key=key,
        ),
    )


def run_table(scope: Construct, stage: StageConfig, key: kms.IKey | None) -> RunTable:
    return RunTable(scope, "RunTable", RunTableProps(is_protected=stage.is_protected, key=key))


def user_pool(scope: Construct, stage: StageConfig) -> UserPool:
    return UserPool(scope, "UserPool", UserPoolProps(is_protected=stage.is_protected))


def _reading(parameter: ssm.StringParameter) -> iam.PolicyStatement:
    return iam.PolicyStatement(sid="FindStage", actions=["ssm:GetParameter"], resources=[parameter.parameter_arn])
