"""What a Dagy stage is made of, each usable in a CDK app of your own.

    store = ArtifactStore(self, "ArtifactStore", ArtifactStoreProps(stage="prod"))
    table = RunTable(self, "RunTable", RunTableProps())
    ...

Constructs take constructs; stacks only wire them. `dagy_infra.stacks.app` shows the whole wiring.
"""

from dagy_infra.constructs.api import Api, ApiProps
from dagy_infra.constructs.artifact_store import ArtifactStore, ArtifactStoreProps
from dagy_infra.constructs.control import Control, ControlProps
from dagy_infra.constructs.failures import Failures, FailuresProps
from dagy_infra.constructs.function import FunctionSettings, StageFunction
from dagy_infra.constructs.observability import Observability, ObservabilityProps
from dagy_infra.constructs.run_table import RunTable, RunTableProps
from dagy_infra.constructs.runtimes import Runtimes, RuntimesProps
from dagy_infra.constructs.scheduling import Scheduling, SchedulingProps
from dagy_infra.constructs.timer import Timer

__all__ = [
    "Api", "ApiProps",
    "ArtifactStore", "ArtifactStoreProps",
    "Control", "ControlProps",
    "Failures", "FailuresProps",
    "FunctionSettings", "StageFunction",
    "Observability", "ObservabilityProps",
    "RunTable", "RunTableProps",
    "Runtimes", "RuntimesProps",
    "Scheduling", "SchedulingProps",
    "Timer",
]  # fmt: skip
