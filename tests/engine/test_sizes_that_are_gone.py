"""A stage can be deployed with fewer sizes than it had. Runs of those that are gone end; the others are not harmed."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from dagy.core.errors import NotFound
from dagy.core.sizes import ExecutionMode, Size
from dagy.core.states import Status
from dagy_runtime.adapters.memory.delivery import MemoryDispatcher
from dagy_runtime.engine.reconcile import reconcile
from dagy_runtime.engine.submit import submit_run
from dagy_runtime.messages import Message
from dagy_runtime.values import Trigger

FLOW = """
    from dagy import flow, task

    @task
    def one() -> int:
        return 1

    @flow
    def alone():
        return one()
"""


class WithoutLarge(MemoryDispatcher):
    """As a function whose `DAGY_RUNTIMES` does not name the size."""

    def to_runtime(self, size: Size, message: Message) -> None:
        if size is Size.LARGE:
            raise NotFound("runtime function of size", size)
        super().to_runtime(size, message)


def test_a_run_of_a_size_that_is_gone_fails_and_the_others_are_rescued(stage: Any) -> None:
    flow = stage.deploy(FLOW)
    runs = {size: _submit(stage, flow, size) for size in (Size.LARGE, Size.NANO, Size.SMALL)}
    after = replace(stage.ports, dispatcher=WithoutLarge())
    stage.clock.advance(120)

    found = reconcile(after)

    assert set(found.rescued) == {runs[Size.NANO], runs[Size.SMALL]}
    gone = stage.run(runs[Size.LARGE])
    assert gone.status is Status.FAILED
    assert gone.problem.message.startswith("The stage has no functions of size 'large' any more.")
    events = stage.ports.runs.list_events(gone.id, limit=10).items
    assert [event.type for event in events] == ["run_failed"]
    assert reconcile(after).open_runs == 2


def _submit(stage: Any, flow: Any, size: Size) -> str:
    creation = submit_run(
        stage.ports,
        flow=flow,
        deployment=None,
        parameters={},
        mode=ExecutionMode(size=size),
        trigger=Trigger.MANUAL,
        requested_by="somebody",
    )
    return str(creation.run.id)
