"""The function that looks after runs: schedules that fire, runs that messages ask for, and the reconciler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_cdk import Tags
from constructs import Construct

from dagy_infra.assets import Asset
from dagy_infra.constructs.artifact_store import STATE_OF_RUNS, ArtifactStore
from dagy_infra.constructs.failures import Failures
from dagy_infra.constructs.function import FunctionSettings, StageFunction, invoking
from dagy_infra.constructs.run_table import RunTable
from dagy_infra.constructs.runtimes import Runtimes
from dagy_infra.constructs.timer import Timer
from dagy_runtime.adapters.aws.schema import BY_STATUS
from dagy_runtime.adapters.aws.settings import ITSELF

_MEMORY_MIB: Final = 512
_TIMEOUT_S: Final = 300


@dataclass(frozen=True, slots=True)
class ControlProps:
    settings: FunctionSettings
    asset: Asset
    store: ArtifactStore
    table: RunTable
    timer: Timer
    runtimes: Runtimes
    failures: Failures


class Control(Construct):
    """No flow can reach it: it starts any deployment that it is told to."""

    def __init__(self, scope: Construct, construct_id: str, props: ControlProps) -> None:
        super().__init__(scope, construct_id)
        self.function: Final = StageFunction(
            self,
            "Control",
            settings=props.settings,
            description=f"Dagy {props.settings.stage}: schedule fires, reconciler",
            handler="dagy_runtime.entrypoints.control.handler",
            asset=props.asset,
            memory_mib=_MEMORY_MIB,
            timeout_s=_TIMEOUT_S,
            environment={
                "DAGY_TABLE": props.table.table.table_name,
                "DAGY_BUCKET": props.store.bucket.bucket_name,
                "DAGY_CONTROL_FUNCTION": ITSELF,
                "DAGY_RUNTIMES": props.runtimes.names_by_size(),
                "DAGY_TIMER_STATE_MACHINE": props.timer.arn,
            },
        )
        self.function.allow(
            props.table.access_to("RUN#*", "IDEM#*"),
            props.table.reading("DEPLOYMENT#*", "FLOW#*", "PACKAGE#*"),
            props.table.listing(BY_STATUS),
            props.store.reading_state(),
            props.store.writing(STATE_OF_RUNS),
            props.timer.starting(),
            props.runtimes.invoking(),
            invoking("ContinueInANewInvocation", self.function),
        )
        props.timer.may_invoke(self.function, *props.runtimes.functions.values())
        self.function.send_failures_to(props.failures.function)
        Tags.of(self).add("dagy:component", "control")
