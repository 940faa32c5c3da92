"""What the task-isolated engine promises, under faults that a seed decides."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest

from .children import Shape
from .kernel import NONE
from .planted import PLANTED
from .stories import Story, Telling, violations

SEEDS = int(os.environ.get("DAGY_SIMULATION_SEEDS", "1500"))
PARTS = 10
FAILED_ONCE = (2274, 6075, 7053, 20932)  # a run that was cancelled while it was being planned

DIAMOND = Shape(
    {"a-0": (), "b-0": ("a-0",), "b-1": ("a-0",), "c-0": ("b-0", "b-1")},
    dict.fromkeys(("a-0", "b-0", "b-1", "c-0"), 0.5),
    {"b-1": 1},
)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The engine says what it finds lost, a thousand times."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_run_comes_to_its_right_end(part: int) -> None:
    wrong = {seed: found for seed in range(part, SEEDS, PARTS) if (found := violations(seed))}
    assert not wrong, f"violations({next(iter(wrong))}) in tests/simulation/stories.py tells it again: {wrong}"


def test_seeds_that_failed_once_fail_no_more() -> None:
    assert [seed for seed in FAILED_ONCE if violations(seed)] == []


@pytest.mark.parametrize("fail_fast", [True, False])
def test_a_crash_before_any_one_operation_changes_no_outcome(fail_fast: bool) -> None:
    story = Story(DIAMOND, NONE, fail_fast)
    operations = Telling(1, story).kernel.operations
    assert operations > 50
    wrong = {at: found for at in range(1, operations + 1) if (found := violations(1, story=story, crash_at=at))}
    assert not wrong


def test_with_no_fault_every_task_starts_once_and_nothing_is_found_lost() -> None:
    shape = Shape({"a-0": (), **{f"b-{n}": ("a-0",) for n in range(120)}}, dict.fromkeys(["a-0"], 0.1), {})
    shape.seconds.update({f"b-{n}": 0.1 for n in range(120)})
    telling = Telling(1, Story(shape, NONE))
    assert telling.violations() == []
    assert len(telling.workshop.started) == 121


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_caught(bug: str) -> None:
    how: dict[str, Any] = PLANTED[bug]
    assert any(_is_caught(seed, how) for seed in range(2000)), "the simulation is blind for it"


def _is_caught(seed: int, how: dict[str, Any]) -> bool:
    """By a violation, or by an engine that trips over it."""
    try:
        return bool(violations(seed, **how))
    except Exception:
        return True
