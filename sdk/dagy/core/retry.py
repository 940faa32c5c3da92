"""Whether to try again, and when. One pure decision for tasks and flows, for every executor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Union

from dagy.core.errors import RetryConfigurationError

RetryDelay = Union[float, Sequence[float], Callable[[int], float], None]
"""What authors write: seconds, always the same, or for each retry, or by the number of the attempt that failed."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What the author asked for. Seconds throughout; `jitter` is the largest share of the delay that chance may add."""

    retries: int = 0
    delay_s: Union[float, list[float], Callable[[int], float], None] = None
    jitter: float = 0.0
    should_retry: Callable[[Exception], bool] | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again, not before `delay_s` seconds from now."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The failure is final. `reason` is for the log."""

    reason: str


def checked_policy(
    *,
    retries: int,
    delay_s: Any,
    jitter: float | None,
    should_retry: Callable[[Exception], bool] | None,
) -> RetryPolicy:
    """A policy from what a decorator was given.

    Raises: RetryConfigurationError naming the setting and its value.
    """
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise RetryConfigurationError(f"retries must be a whole number of 0 or more, got {retries!r}")
    if jitter is not None and not (_is_number(jitter) and 0.0 <= jitter <= 1.0):
        raise RetryConfigurationError(f"retry_jitter_factor must be from 0.0 to 1.0, got {jitter!r}")
    if isinstance(delay_s, (list, tuple)):
        if not delay_s or not all(_is_number(delay) and delay >= 0 for delay in delay_s):
            raise RetryConfigurationError(f"retry_delay_seconds must list numbers of 0 or more, got {delay_s!r}")
        delay_s = [float(delay) for delay in delay_s]
    elif delay_s is not None and not callable(delay_s) and not (_is_number(delay_s) and delay_s >= 0):
        raise RetryConfigurationError(
            f"retry_delay_seconds must be a number of 0 or more, a list of them, or a function, got {delay_s!r}"
        )
    if should_retry is not None and not callable(should_retry):
        raise RetryConfigurationError(f"retry_condition_fn must be a function, got {should_retry!r}")
    return RetryPolicy(retries, delay_s, jitter or 0.0, should_retry)


def decide_retry(policy: RetryPolicy, *, attempt: int, error: Exception, chance: float) -> Retry | GiveUp:
    """What follows the failure of attempt number `attempt` (1 is the first). `chance` is uniform in [0, 1).

    A list of delays is read by attempt; attempts past its end take its last entry. A callable delay gets the
    number of the attempt that failed. Raises whatever the author's own functions raise.
    """
    if attempt > policy.retries:
        return GiveUp("no retries left" if policy.retries else "no retries asked for")
    if policy.should_retry is not None and not policy.should_retry(error):
        return GiveUp("retry_condition_fn declined")
    delay_s = _base_delay_s(policy, attempt)
    return Retry(delay_s + delay_s * policy.jitter * chance)


def _base_delay_s(policy: RetryPolicy, attempt: int) -> float:
    if policy.delay_s is None:
        return 0.0
    if isinstance(policy.delay_s, list):
        return policy.delay_s[min(attempt, len(policy.delay_s)) - 1]
    if callable(policy.delay_s):
        delay_s = policy.delay_s(attempt)
        if not _is_number(delay_s) or delay_s < 0:
            raise RetryConfigurationError(
                f"retry_delay_seconds({attempt}) must give a number of 0 or more, got {delay_s!r}"
            )
        return float(delay_s)
    return float(policy.delay_s)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
