"""A flow runs with its runtime's rights, so it can call the function that takes failures. What that does for it."""

from __future__ import annotations

from typing import Any

import pytest

from dagy.core.errors import InvalidInput
from dagy.core.states import Status
from dagy_runtime.entrypoints import failures
from dagy_runtime.messages import AdvanceRun, FireSchedule, Reconcile, to_json

FLOW = """
    from dagy import flow, task

    @task
    def one() -> int:
        return 1

    @flow
    def alone():
        return one()
"""


def failure_of(message: Any) -> dict[str, Any]:
    """As Lambda sends it to an on-failure destination."""
    return {
        "requestContext": {"requestId": "r-1", "condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": message,
        "responsePayload": {"errorType": "Runtime.ExitError", "errorMessage": "signal: killed"},
    }


def test_a_failure_ends_its_run_and_is_kept(stage: Any) -> None:
    run_id = stage.submit(stage.deploy(FLOW), {})

    failures.handle(stage.ports, failure_of(to_json(AdvanceRun(run_id))))

    assert stage.run(run_id).status is Status.FAILED
    [letter] = stage.ports.runs.list_dead_letters(limit=10).items
    assert letter.run_id == run_id


@pytest.mark.parametrize(
    "message", [FireSchedule("prod-payroll", "2026-03-04T12:00:00Z"), Reconcile(), AdvanceRun("x")]
)
def test_whatever_else_is_sent_to_it_is_refused(stage: Any, message: Any) -> None:
    with pytest.raises(InvalidInput, match="nothing else"):
        failures.handle(stage.ports, to_json(message))
    assert stage.ports.dispatcher.sent == []
    assert stage.ports.runs.list_dead_letters(limit=10).items == ()
    failures.handle(stage.ports, failure_of(to_json(message)))
    assert stage.ports.dispatcher.sent == []
