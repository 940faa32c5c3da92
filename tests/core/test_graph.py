"""The order in which a flow's task runs can run, and who waits for whom."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagy.core.errors import DependencyCycleError
from dagy.core.graph import dependents, descendants, topological_order
from dagy.core.spec import TaskRunSpec


def run(name: str, *parents: str) -> TaskRunSpec:
    return TaskRunSpec(id=name, task_name="task", depends_on=list(parents))


@st.composite
def graphs(draw: st.DrawFn) -> list[TaskRunSpec]:
    """Acyclic, in shuffled order, with parents named more than once."""
    count = draw(st.integers(0, 12))
    runs = [
        run(f"t-{n}", *(f"t-{m}" for m in draw(st.lists(st.integers(0, n - 1), max_size=4) if n else st.just([]))))
        for n in range(count)
    ]
    return draw(st.permutations(runs))


@given(graphs())
def test_every_task_run_comes_once_and_after_its_parents(runs: list[TaskRunSpec]) -> None:
    order = topological_order(runs)

    assert sorted(order) == sorted(each.id for each in runs)
    place = {name: index for index, name in enumerate(order)}
    assert all(place[parent] < place[each.id] for each in runs for parent in each.depends_on)


@given(graphs())
def test_dependents_are_the_parents_seen_from_the_other_side(runs: list[TaskRunSpec]) -> None:
    waiting = dependents(runs)

    assert {(parent, each.id) for each in runs for parent in each.depends_on} == {
        (parent, child) for parent, children in waiting.items() for child in children
    }


@given(graphs())
def test_descendants_are_closed_under_dependents_and_never_hold_the_start(runs: list[TaskRunSpec]) -> None:
    children = dependents(runs)
    for start in children:
        found = descendants(start, children)

        assert start not in found
        assert found >= set(children[start])
        assert all(found >= set(children[each]) for each in found)


@given(graphs(), st.data())
def test_a_closed_circle_is_found_and_told_as_a_path(runs: list[TaskRunSpec], data: st.DataObject) -> None:
    names = [f"c-{n}" for n in range(data.draw(st.integers(1, 5)))]
    circle = [run(name, names[index - 1]) for index, name in enumerate(names)]

    with pytest.raises(DependencyCycleError) as refused:
        topological_order(data.draw(st.permutations([*runs, *circle])))

    path = refused.value.task_run_ids
    assert path[0] == path[-1]
    assert set(path) == set(names)
    parents = {each.id: each.depends_on for each in circle}
    assert all(before in parents[after] for before, after in itertools.pairwise(path))


def test_among_those_that_can_come_next_the_flows_order_decides() -> None:
    assert topological_order([run("b"), run("a"), run("d", "a"), run("c", "b")]) == ["b", "a", "c", "d"]


def test_a_parent_that_does_not_exist_is_named_with_the_one_that_waits() -> None:
    with pytest.raises(DependencyCycleError, match="missing dependency output: ghost → a"):
        topological_order([run("a", "ghost")])


def test_chains_and_joins_of_ten_thousand_are_ordered() -> None:
    chain = [run("t-0"), *(run(f"t-{n}", f"t-{n - 1}") for n in range(1, 10_000))]
    join = [*(run(f"p-{n}") for n in range(10_000)), run("join", *(f"p-{n}" for n in range(10_000)))]

    assert topological_order(chain)[-1] == "t-9999"
    assert topological_order(join)[-1] == "join"
