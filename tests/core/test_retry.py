"""Whether a failure is tried again, and when."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagy.core.errors import RetryConfigurationError
from dagy.core.retry import GiveUp, Retry, RetryPolicy, checked_policy, decide_retry

SECONDS = st.floats(0, 1e6)
CHANCES = st.floats(0, 1, exclude_max=True)
ERROR = ValueError("it broke")


def policy(**settings: Any) -> RetryPolicy:
    given_settings: dict[str, Any] = {"retries": 0, "delay_s": None, "jitter": None, "should_retry": None, **settings}
    return checked_policy(**given_settings)


@given(retries=st.integers(0, 20), attempt=st.integers(1, 30), chance=CHANCES)
def test_a_task_is_tried_once_and_again_as_often_as_asked(retries: int, attempt: int, chance: float) -> None:
    decision = decide_retry(policy(retries=retries), attempt=attempt, error=ERROR, chance=chance)

    assert isinstance(decision, Retry) == (attempt <= retries)


@given(delay=SECONDS, jitter=st.floats(0, 1), chance=CHANCES)
def test_jitter_only_adds_and_at_most_its_share(delay: float, jitter: float, chance: float) -> None:
    decision = decide_retry(policy(retries=1, delay_s=delay, jitter=jitter), attempt=1, error=ERROR, chance=chance)

    assert isinstance(decision, Retry)
    assert delay <= decision.delay_s <= delay + delay * jitter


@given(delays=st.lists(SECONDS, min_size=1, max_size=5), attempt=st.integers(1, 10))
def test_a_list_is_read_by_attempt_and_its_last_entry_repeats(delays: list[float], attempt: int) -> None:
    decision = decide_retry(policy(retries=10, delay_s=delays), attempt=attempt, error=ERROR, chance=0.0)

    assert decision == Retry(delays[min(attempt, len(delays)) - 1])


def test_a_function_gets_the_number_of_the_attempt_that_failed() -> None:
    assert decide_retry(policy(retries=5, delay_s=lambda n: 2**n), attempt=3, error=ERROR, chance=0.0) == Retry(8.0)


def test_the_authors_condition_can_decline() -> None:
    only_timeouts = policy(retries=5, should_retry=lambda error: isinstance(error, TimeoutError))

    assert decide_retry(only_timeouts, attempt=1, error=TimeoutError(), chance=0.0) == Retry(0.0)
    assert decide_retry(only_timeouts, attempt=1, error=ERROR, chance=0.0) == GiveUp("retry_condition_fn declined")


@pytest.mark.parametrize(
    "settings, told",
    [
        pytest.param({"retries": -1}, "retries .* -1", id="negative retries"),
        pytest.param({"retries": True}, "retries .* True", id="retries of bool"),
        pytest.param({"retries": 1.5}, "retries .* 1.5", id="half a retry"),
        pytest.param({"jitter": 1.1}, "retry_jitter_factor .* 1.1", id="jitter above one"),
        pytest.param({"jitter": "0.5"}, "retry_jitter_factor .* '0.5'", id="jitter of text"),
        pytest.param({"delay_s": -1}, "retry_delay_seconds .* -1", id="negative delay"),
        pytest.param({"delay_s": "1"}, "retry_delay_seconds .* '1'", id="delay of text"),
        pytest.param({"delay_s": []}, r"retry_delay_seconds .* \[\]", id="empty list"),
        pytest.param({"delay_s": [1, -1]}, r"retry_delay_seconds .* \[1, -1\]", id="negative in list"),
        pytest.param({"should_retry": "always"}, "retry_condition_fn .* 'always'", id="condition that is no function"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_with_its_name_and_value(settings: Any, told: str) -> None:
    with pytest.raises(RetryConfigurationError, match=told):
        policy(**settings)


@pytest.mark.parametrize("wrong", [-1, "soon", None, True])
def test_a_delay_function_that_gives_no_delay_is_told_so(wrong: Any) -> None:
    with pytest.raises(RetryConfigurationError, match=r"retry_delay_seconds\(1\)"):
        decide_retry(policy(retries=1, delay_s=lambda _: wrong), attempt=1, error=ERROR, chance=0.0)
