"""What can be replaced: functions, timers, schedules, API, alarms, and the manifest that says where everything is."""

from __future__ import annotations

import json
from typing import Final

from aws_cdk import CfnOutput, IStackSynthesizer, Stack
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from dagy_infra.assets import Asset, Kind
from dagy_infra.constructs import DagyPlatform, DagyPlatformProps, Runtimes
from dagy_infra.stacks.data import DataStack
from dagy_infra.stacks.existing import domain_of, key_of, limit_roles, network_of, topic_of
from dagy_infra.stages import StageConfig


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
        limit_roles(self, stage)
        # The CDK leaves the id `Default` out of logical ids. With any other, every resource of every stage that stands
        # would be replaced: the API's address, and the group with all schedules.
        self.platform: Final = DagyPlatform(
            self,
            "Default",
            DagyPlatformProps(
                stage=stage,
                assets=assets,
                store=data.store,
                table=data.table,
                users=data.users,
                key=key_of(self, stage),
                network=network_of(self, stage),
                domain=domain_of(self, stage),
                alarm_topic=topic_of(self, stage),
            ),
        )
        if given := stage.settings.given():
            ssm.StringParameter(
                self,
                "Settings",
                parameter_name=stage.settings_parameter,
                string_value=json.dumps(given, sort_keys=True),
                description=f"How Dagy stage {stage.name} was told to be; its next deploy keeps it",
            )
        for name, value in self.platform.manifest.items():
            if value is not None:
                text = ",".join(value) if isinstance(value, list) else str(value)
                CfnOutput(self, name.title().replace("_", ""), value=text)

    @property
    def runtimes(self) -> Runtimes:
        return self.platform.runtimes
