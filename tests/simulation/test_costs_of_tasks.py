"""What coordinating an isolated task costs: asserted here at small sizes, reported up to 10,000 tasks by
`benchmarks/task_costs.py`, which tells the same stories.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.messages import RunTask

from . import references
from .children import Shape
from .kernel import NONE
from .stories import Story, Telling

costs: Any = type("costs", (), runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "task_costs.py")))
WRITES = {"claim_task", "finish_task", "arrive", "append_events", "settle_tasks", "renew_task", "put"}


@pytest.fixture(scope="module")
def bill_of() -> Iterator[Callable[..., Any]]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        clients = Clients({"AWS_REGION": "us-east-1"})
        least = costs.bill_of(references.chain(1), clients=clients, name="dagy-least")
        names = iter(range(1000))

        def bill(parents: dict[str, tuple[str, ...]]) -> Any:
            """Of what each task adds to a run of one."""
            return costs.bill_of(parents, clients=clients, name=f"dagy-costs-{next(names)}").minus(least)

        yield bill


@pytest.mark.parametrize("shape", costs.SHAPES)
def test_a_task_costs_the_same_in_a_small_flow_and_in_a_larger_one(shape: str, bill_of: Callable[..., Any]) -> None:
    small, large = (bill_of(costs.SHAPES[shape](size)) for size in (9, 36))
    for figure in ("write units", "requests"):
        assert large.per_task()[figure] <= 1.1 * small.per_task()[figure]
    assert large.per_task()["dollars per million"] <= 5.0


def test_a_wide_join_costs_little_for_each_of_its_parents(bill_of: Callable[..., Any]) -> None:
    """Of 66 parents, in two levels: what the join adds to a flow in which they only lead to the end."""
    joined, apart = bill_of(references.fan_in(66)), bill_of({f"leaf-{n}": () for n in range(66)})
    assert (joined.writes - apart.writes) / 66 <= 0.2
    assert joined.writes / 66 <= 6  # claim, end, events and all


@pytest.mark.parametrize(
    ("parents", "most"),
    [
        pytest.param(references.chain(4), 1, id="a chain: the claim"),
        pytest.param(references.lattice(3, 3), 1, id="few parents: the claim"),
        pytest.param(references.diamond(9), 2, id="a join of up to 64: an arrival and the claim"),
    ],
)
def test_between_a_parents_end_and_its_childs_start_are_few_writes_one_after_the_other(
    parents: dict[str, tuple[str, ...]], most: int
) -> None:
    story = Story(Shape(parents, dict.fromkeys(parents, 0.5), {}), NONE)
    trace = Telling(1, story, keeps_trace=True).kernel.trace
    last_parent = _last_parents(trace, parents)
    for child, parent in last_parent.items():
        assert _writes_between(trace, parent, child) <= most, (parent, child)


def _last_parents(trace: list[Any], parents: dict[str, tuple[str, ...]]) -> dict[str, str]:
    ended = [args[1] for _, name, args in trace if name == "finish_task"]
    return {child: max(before, key=ended.index) for child, before in parents.items() if before}


def _writes_between(trace: list[Any], parent: str, child: str) -> int:
    """In the parent's invocation after its end until the child's message, and in the child's until its code begins:
    there the claim is the last.
    """
    finish = next(n for n, (_, name, args) in enumerate(trace) if (name, args[1:2]) == ("finish_task", (parent,)))
    sender = trace[finish][0]
    sent = next(
        n
        for n, (who, name, args) in enumerate(trace)
        if n > finish and who == sender and name == "to_runtime" and _is_for(args[1], child)
    )
    claim = next(n for n, (_, name, args) in enumerate(trace) if (name, args[1:2]) == ("claim_task", (child,)))
    runner = trace[claim][0]
    return sum(name in WRITES for who, name, _ in trace[finish + 1 : sent] if who == sender) + sum(
        name in WRITES for who, name, _ in trace[: claim + 1] if who == runner
    )


def _is_for(message: Any, child: str) -> bool:
    return isinstance(message, RunTask) and message.task_run_id == child
