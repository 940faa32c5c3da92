"""The functions that runs run in: one per size, different in memory and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aws_cdk import Stack, Tags
from aws_cdk import aws_iam as iam
from constructs import Construct

from dagy.core.sizes import SHAPES, Size
from dagy_infra.assets import Asset
from dagy_infra.constructs.artifact_store import RUNS_PREFIX, STATE_OF_RUNS, ArtifactStore
from dagy_infra.constructs.containers import Containers, ContainersProps
from dagy_infra.constructs.failures import Failures
from dagy_infra.constructs.function import FunctionSettings, StageFunction, invoking
from dagy_infra.constructs.network import Network, public_network
from dagy_infra.constructs.run_table import RunTable
from dagy_infra.constructs.task_machine import TaskMachine
from dagy_infra.constructs.timer import Timer

STORAGE_MIB: Final = 2048
"""Room for the largest artifact, what it may unpack to, the largest result on its way, and what a flow writes itself.
What is above Lambda's 512 MiB costs 1.4 % on top of a second of `nano`, and less on larger sizes.
"""
_TIMEOUT_S: Final = 900  # Lambda's longest; a run that needs more continues in a new invocation


@dataclass(frozen=True, slots=True)
class RuntimesProps:
    settings: FunctionSettings
    asset: Asset
    store: ArtifactStore
    table: RunTable
    timer: Timer
    """One that can start nothing but runtime functions: whoever may set it can have it send any message."""
    failures: Failures
    sizes: Sequence[Size] = tuple(Size)
    network: Network | None = None
    """A VPC that flows must reach. None: they reach the internet, and nothing reaches them."""
    has_containers: bool = False
    """Whether tasks can run on Fargate, too."""


class Runtimes(Construct):
    """Flows run with these functions' rights: a flow can do whatever its runtime can.

    So these are the rights of a stranger: the records and data of runs, and starting runtime functions. They reach no
    flow, deployment, schedule or key, overwrite no artifact, and start nothing that could.
    """

    def __init__(self, scope: Construct, construct_id: str, props: RuntimesProps) -> None:
        super().__init__(scope, construct_id)
        self._security_groups: Final = props.network.security_groups_in(self) if props.network else ()
        self.tasks: Final = TaskMachine(self, "Tasks", timeout_s=_TIMEOUT_S, failures=props.failures.function)
        self.containers: Final = self._containers(scope, props) if props.has_containers else None
        self.functions: Final[Mapping[Size, StageFunction]] = {size: self._runtime(size, props) for size in props.sizes}
        if self.containers is not None:
            self.containers.allow(*self._rights(props), invoking("AdvanceRuns", *self.functions.values()))
        Tags.of(self).add("dagy:component", "runtime")

    def _runtime(self, size: Size, props: RuntimesProps) -> StageFunction:
        runtime = StageFunction(
            self,
            size.value.capitalize(),
            settings=props.settings,
            description=f"Dagy {props.settings.stage}: runs flows of size {size}",
            handler="dagy_runtime.entrypoints.runtime.handler",
            asset=props.asset,
            memory_mib=SHAPES[size].lambda_memory_mib,
            timeout_s=_TIMEOUT_S,
            storage_mib=STORAGE_MIB,
            network=props.network,
            security_groups=self._security_groups,
            environment={
                "DAGY_SIZE": size.value,
                **self._environment(props),
                **({"DAGY_CONTAINER_STATE_MACHINE": self.containers.machine.arn} if self.containers else {}),
            },
        )
        runtime.allow(*self._rights(props), invoking("ContinueInANewInvocation", runtime))
        props.timer.may_invoke(runtime)
        self.tasks.may_invoke(runtime)
        runtime.send_failures_to(props.failures.function)
        Tags.of(runtime).add("dagy:size", size.value)
        return runtime

    def _environment(self, props: RuntimesProps) -> dict[str, str]:
        return {
            "DAGY_TABLE": props.table.table.table_name,
            "DAGY_BUCKET": props.store.bucket.bucket_name,
            "DAGY_TIMER_STATE_MACHINE": props.timer.arn,
            "DAGY_TASK_STATE_MACHINE": self.tasks.arn,
        }

    def _rights(self, props: RuntimesProps) -> list[iam.PolicyStatement]:
        """What a flow may do, wherever its tasks run, but for the functions it may invoke."""
        return [
            props.table.access_to("RUN#*"),
            *props.store.reading(),
            props.store.writing(RUNS_PREFIX, STATE_OF_RUNS),
            props.timer.starting(),
            self.tasks.starting(),
            *([self.containers.machine.starting()] if self.containers else []),
        ]

    def _containers(self, scope: Construct, props: RuntimesProps) -> Containers:
        """Beside the functions, not below them: what its roles may do is not what a flow may."""
        network = props.network or public_network(scope)
        groups = self._security_groups or network.security_groups_in(scope)
        return Containers(
            scope,
            "Containers",
            ContainersProps(
                props.settings,
                props.asset,
                props.sizes,
                self._environment(props),
                props.failures.function,
                network,
                groups,
            ),
        )

    def names_by_size(self) -> str:
        """The value of `DAGY_RUNTIMES`."""
        names = {size.value: function.name for size, function in self.functions.items()}
        return Stack.of(self).to_json_string(names)

    def invoking(self) -> iam.PolicyStatement:
        return invoking("StartRuns", *self.functions.values())
