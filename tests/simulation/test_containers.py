"""Stories whose tasks are all in containers: slow to be missed, put back with a timer, and sent on by the function."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dagy.core.sizes import Executor

from .stories import Telling, story_of, violations

SEEDS = range(70_000, 70_150)


@pytest.mark.parametrize("tens", range(SEEDS.start, SEEDS.stop, 10))
def test_nothing_promised_is_broken_in_containers(tens: int) -> None:
    for seed in range(tens, tens + 10):
        assert violations(seed, story=replace(story_of(seed), executor=Executor.ECS)) == [], seed


def test_the_function_sends_on_what_a_timer_woke() -> None:
    """Else the stories above would prove nothing about it."""
    answers = sum(
        telling.kernel.answers["Passed task_sent_on"]
        for telling in (Telling(seed, replace(story_of(seed), executor=Executor.ECS)) for seed in SEEDS[:60])
        if not telling.violations()
    )
    assert answers > 0
