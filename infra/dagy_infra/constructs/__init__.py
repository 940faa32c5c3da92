"""What a Dagy stage is made of, for a CDK app of your own: all of it at once, or part by part.

    DagyPlatform(self, "Dagy", DagyPlatformProps(stage=stage_config("prod"), network=Network(vpc)))

Constructs take constructs; `platform` shows how they are wired.
"""

from dagy_infra.constructs.api import Api, ApiProps
from dagy_infra.constructs.artifact_store import ArtifactStore, ArtifactStoreProps
from dagy_infra.constructs.control import Control, ControlProps
from dagy_infra.constructs.domain import Domain
from dagy_infra.constructs.failures import Failures, FailuresProps
from dagy_infra.constructs.function import FunctionSettings, StageFunction
from dagy_infra.constructs.metrics import StageMetrics
from dagy_infra.constructs.network import Network
from dagy_infra.constructs.observability import Observability, ObservabilityProps
from dagy_infra.constructs.platform import DagyPlatform, DagyPlatformProps
from dagy_infra.constructs.run_table import RunTable, RunTableProps
from dagy_infra.constructs.runtimes import Runtimes, RuntimesProps
from dagy_infra.constructs.scheduling import Scheduling, SchedulingProps
from dagy_infra.constructs.sign_in import SignIn, SignInProps
from dagy_infra.constructs.task_machine import TaskMachine
from dagy_infra.constructs.timer import Timer
from dagy_infra.constructs.user_pool import UserPool, UserPoolProps

__all__ = [
    "DagyPlatform", "DagyPlatformProps",
    "Api", "ApiProps",
    "ArtifactStore", "ArtifactStoreProps",
    "Control", "ControlProps",
    "Domain",
    "Failures", "FailuresProps",
    "FunctionSettings", "StageFunction",
    "Network",
    "Observability", "ObservabilityProps",
    "RunTable", "RunTableProps",
    "Runtimes", "RuntimesProps",
    "Scheduling", "SchedulingProps",
    "StageMetrics",
    "SignIn", "SignInProps",
    "TaskMachine",
    "Timer",
    "UserPool", "UserPoolProps",
]  # fmt: skip
