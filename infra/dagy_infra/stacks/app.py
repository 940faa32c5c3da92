"""What can be replaced: functions, timers, schedules, API, alarms, and the manifest that says where everything is."""

from __future__ import annotations

from typing import Any, Final

from aws_cdk import Aws, CfnOutput, IStackSynthesizer, Stack
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from dagy.version import VERSION
from dagy_infra.assets import Asset, Kind
from dagy_infra.constructs import (
    Api,
    ApiProps,
    Control,
    ControlProps,
    Failures,
    FailuresProps,
    FunctionSettings,
    Observability,
    ObservabilityProps,
    Runtimes,
    RuntimesProps,
    Scheduling,
    SchedulingProps,
    Timer,
)
from dagy_infra.stacks.data import DataStack
from dagy_infra.stages import StageConfig

MANIFEST_SCHEMA_VERSION: Final = 1


class AppStack(Stack):
    def __init__(
        self,
        scope: Construct,
        stage: StageConfig,
        *,
        data: DataStack,
        assets: dict[Kind, Asset],
        synthesizer: IStackSynthesizer | None = None,
    ) -> None:
        super().__init__(
            scope,
            stage.app_stack,
            description=f"Dagy, stage {stage.name}: runtimes, API, schedules. Holds no data.",
            synthesizer=synthesizer,
        )
        settings, store, table = FunctionSettings.of(stage), data.store, data.runs
        runtime, timer, timer_of_runtimes = assets["runtime"], Timer(self, "Timer"), Timer(self, "RuntimeTimer")
        self.runtimes: Final = Runtimes(
            self, "Runtimes", RuntimesProps(settings, runtime, store, table, timer_of_runtimes, stage.sizes)
        )
        """Flows have the rights of these functions' roles: give them what your flows need."""
        failures = Failures(
            self,
            "Failures",
            FailuresProps(settings, runtime, store, table, self.runtimes, requires_tls=stage.emulator is None),
        )
        control = Control(
            self, "Control", ControlProps(settings, runtime, store, table, timer, self.runtimes, failures.dead_letters)
        )
        scheduling = Scheduling(self, "Scheduling", SchedulingProps(control, is_emulated=stage.emulator is not None))
        api = Api(
            self,
            "Api",
            ApiProps(
                settings,
                assets["api"],
                store,
                table,
                timer,
                self.runtimes,
                control,
                scheduling,
                requests_per_s=stage.api_requests_per_s,
                burst=stage.api_burst,
                emulator_endpoint_url=stage.emulator.endpoint_url if stage.emulator else None,
            ),
        )
        if stage.has_alarms:
            Observability(self, "Observability", ObservabilityProps(control, failures, api))
        self._publish(stage, data, api)

    def _publish(self, stage: StageConfig, data: DataStack, api: Api) -> None:
        manifest: dict[str, Any] = {
            "schema_version": MANIFEST_SCHEMA_VERSION,
            "stack_version": VERSION,
            "stage": stage.name,
            "region": Aws.REGION,
            "account": Aws.ACCOUNT_ID,
            "api_url": api.url,
            "app_url": None,
            "bucket": data.store.bucket.bucket_name,
            "table": data.runs.table.table_name,
            "issuer": None,
            "client_id": None,
            "sizes": [size.value for size in stage.sizes],
        }
        ssm.StringParameter(
            self,
            "Manifest",
            parameter_name=stage.manifest_parameter,
            string_value=self.to_json_string(manifest),
            description=f"Where everything of Dagy stage {stage.name} is",
        )
        for name, value in manifest.items():
            if value is not None:
                text = ",".join(value) if isinstance(value, list) else str(value)
                CfnOutput(self, name.title().replace("_", ""), value=text)
