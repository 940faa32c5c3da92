"""What the task machine does, read from its definition. That it runs is tried on the local cloud."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dagy_runtime.engine.dead_letters import is_failure_event, parse_failure_event
from dagy_runtime.engine.pacing import Pacing
from dagy_runtime.messages import RunTask, to_json


@pytest.fixture
def states(dev: Any) -> dict[str, Any]:
    [machine] = [r for id, r in dev.resources("AWS::StepFunctions::StateMachine") if id.startswith("RuntimesTasks")]
    parts = machine["Properties"]["DefinitionString"]["Fn::Join"][1]
    definition = json.loads("".join(part if isinstance(part, str) else part["Ref"] for part in parts))
    found: dict[str, Any] = definition["States"]
    return found


def test_a_lost_invocation_is_repeated_when_its_lease_has_run_out(states: dict[str, Any]) -> None:
    never_began, lost = states["Run"]["Retry"]
    assert "Lambda.TooManyRequestsException" in never_began["ErrorEquals"]
    assert lost["ErrorEquals"] == ["States.ALL"]
    assert lost["IntervalSeconds"] > Pacing().lease_s


def test_an_invocation_has_all_the_time_that_its_function_has(dev: Any, states: dict[str, Any]) -> None:
    longest = max(f["Properties"]["Timeout"] for _, f in dev.resources("AWS::Lambda::Function"))
    assert states["Run"]["TimeoutSeconds"] > longest


def test_what_it_gives_up_on_is_told_as_lambda_tells_it(states: dict[str, Any]) -> None:
    message = to_json(RunTask("run-1", "load-1", 0))
    caught = {"message": message, "error": {"Error": "Lambda.Unknown", "Cause": "signal: killed"}}

    event = _filled(states["Give up"]["Parameters"]["Payload"], caught)

    assert states["Run"]["Catch"][0]["Next"] == "Give up"
    assert is_failure_event(event)
    given_up = parse_failure_event(event)
    assert (given_up.message, given_up.error) == (message, "Lambda.Unknown: signal: killed")


def test_nothing_but_runtimes_may_start_it_and_it_may_invoke_them_and_the_failures_function_only(dev: Any) -> None:
    functions = {id for id, _ in dev.resources("AWS::Lambda::Function")}
    invoked, starting = set(), set()
    for id, policy in dev.resources("AWS::IAM::Policy"):
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if id.startswith("RuntimesTasks"):
                invoked |= {resource["Fn::GetAtt"][0] for resource in statement["Resource"]}
            if statement["Action"] == "states:StartExecution" and "RuntimesTasks" in json.dumps(statement["Resource"]):
                starting.add(id)
    assert invoked == {id for id in functions if id.startswith(("Runtimes", "Failures"))}
    assert len(starting) == 6 and all(id.startswith("Runtimes") for id in starting)


def _filled(template: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """As Step Functions fills in a template: keys that end in `.$` are paths."""
    filled = {}
    for key, value in template.items():
        if isinstance(value, dict):
            filled[key] = _filled(value, given)
        elif key.endswith(".$"):
            at: Any = given
            for step in value.removeprefix("$.").split("."):
                at = at[step]
            filled[key.removesuffix(".$")] = at
        else:
            filled[key] = value
    return filled
