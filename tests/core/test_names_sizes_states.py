"""The small tables: what names may look like, the eight words of an execution mode, which status follows which."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagy.core.errors import InvalidInput
from dagy.core.names import RUN_ID_PATTERN, checked_name, run_id
from dagy.core.sizes import SHAPES, ExecutionMode, Isolation, Size, parse_execution_modes
from dagy.core.states import (
    FINAL,
    RUN_TRANSITIONS,
    TASK_TRANSITIONS,
    State,
    Status,
    completed,
    failed,
    running,
    sources_of,
)

KINDS = ["flow name", "task name", "deployment name", "flow version", "run id", "stage", "namespace"]
FARGATE_MEMORY_MIB = {256: (512, 2048), 512: (1024, 4096), 1024: (2048, 8192), 2048: (4096, 16384), 4096: (8192, 30720)}


@given(kind=st.sampled_from(KINDS), text=st.text(max_size=30))
def test_an_accepted_name_is_safe_in_paths_keys_and_urls(kind: str, text: str) -> None:
    try:
        name = checked_name(kind, text)
    except InvalidInput as refused:
        assert repr(text) in str(refused)
        return
    assert name == text
    assert ".." not in name and not name.startswith("/")
    assert re.fullmatch(r"[A-Za-z0-9_.+/\-]*", name)


@pytest.mark.parametrize(
    "kind, name",
    [
        pytest.param("flow name", "daily_etl", id="flow"),
        pytest.param("flow version", "1.0.0+build.7", id="version"),
        pytest.param("namespace", "data/ingestion", id="namespace"),
        pytest.param("namespace", "", id="no namespace"),
        pytest.param("stage", "dev", id="stage"),
    ],
)
def test_usual_names_are_accepted(kind: str, name: str) -> None:
    assert checked_name(kind, name) == name


@pytest.mark.parametrize(
    "kind, name",
    [
        pytest.param("flow name", "", id="empty"),
        pytest.param("flow name", "a b", id="space"),
        pytest.param("flow name", "a/b", id="slash"),
        pytest.param("flow name", "-a", id="like an option"),
        pytest.param("flow name", "a..b", id="two dots"),
        pytest.param("flow name", "a\n", id="line end"),
        pytest.param("flow name", "a" * 101, id="too long"),
        pytest.param("namespace", "a//b", id="empty part"),
        pytest.param("namespace", "../a", id="upwards"),
        pytest.param("stage", "Dev", id="capital"),
    ],
)
def test_names_that_would_hurt_are_refused(kind: str, name: str) -> None:
    with pytest.raises(InvalidInput, match=kind):
        checked_name(kind, name)


def test_a_run_id_tells_the_flow_and_the_second() -> None:
    made = run_id("daily_etl", "2026-03-04T12:00:00.123Z", "a1b2c3")

    assert made == "daily_etl-20260304T120000Z-a1b2c3"
    assert re.fullmatch(RUN_ID_PATTERN, made)


@given(st.none() | st.sampled_from(Size), st.none() | st.sampled_from(Isolation))
def test_a_size_and_an_isolation_can_be_given_in_any_order_and_twice(
    size: Size | None, isolation: Isolation | None
) -> None:
    words = [str(word) for word in (size, isolation) if word is not None]

    assert parse_execution_modes(words) == parse_execution_modes([*reversed(words), *words])
    assert parse_execution_modes(words) == ExecutionMode(size, isolation)


@pytest.mark.parametrize("words", [["nano", "large"], ["in-process", "task-isolated"], ["huge"], ["Nano"]])
def test_words_that_contradict_or_mean_nothing_are_refused(words: list[str]) -> None:
    with pytest.raises(InvalidInput, match=words[-1]):
        parse_execution_modes(words)


def test_every_size_has_a_shape_that_aws_allows_and_larger_ones_are_larger() -> None:
    shapes = [SHAPES[size] for size in Size]

    for shape in shapes:
        least, most = FARGATE_MEMORY_MIB[shape.fargate_cpu_units]
        assert least <= shape.fargate_memory_mib <= most
        assert 128 <= shape.lambda_memory_mib <= 10240
    memory = [shape.lambda_memory_mib for shape in shapes]
    assert memory == sorted(set(memory))


@pytest.mark.parametrize("table", [RUN_TRANSITIONS, TASK_TRANSITIONS], ids=["runs", "tasks"])
def test_nothing_follows_a_final_status_and_everything_can_end(table: dict[Status, frozenset[Status]]) -> None:
    for status, successors in table.items():
        assert (successors == frozenset()) == status.is_final == (status in FINAL)
        reachable, seen = set(successors), set()
        while reachable - seen:
            current = (reachable - seen).pop()
            seen.add(current)
            reachable |= table[current]
        assert status.is_final or reachable & FINAL


@given(st.sampled_from(Status), st.sampled_from([RUN_TRANSITIONS, TASK_TRANSITIONS]))
def test_sources_are_the_transitions_seen_from_their_end(
    target: Status, table: dict[Status, frozenset[Status]]
) -> None:
    assert sources_of(target, table) == {source for source in table if target in table[source]}


def test_the_state_factories_name_statuses() -> None:
    assert running() == State("RUNNING")
    assert completed() == State("SUCCEEDED")
    assert failed("timeout") == State("FAILED", "timeout")
