"""What a deploy was asked for, checked before anything is built, uploaded or written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dagy.core.errors import InvalidInput, InvalidSchedule
from dagy.core.names import RESERVED_PREFIXES, checked_name, did_you_mean, is_reserved_key
from dagy.core.offer import check_run_limit
from dagy.core.sizes import ExecutionMode, Executor
from dagy.core.slugs import checked_slug
from dagy.packages.together import check_count
from dagy.schedules import checked_timezone, parse_schedule

DEFAULT_TIMEZONE: Final = "America/New_York"
DEFAULT_PREFIX: Final = "dagy"
STATUSES: Final = ("ACTIVE", "PAUSED")
UNCHANGED: Final = ExecutionMode()
MAX_TAGS: Final = 50
MAX_TAG_KEY: Final = 128
MAX_TAG_VALUE: Final = 256


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave the schedule as it is."""


@dataclass(frozen=True, slots=True)
class Remove:
    """The deployment runs only when asked to."""


@dataclass(frozen=True, slots=True)
class Replace:
    """Run by itself. A part that is None stays as it is; a new schedule's zone is then the default one."""

    expression: str | None
    timezone: str | None


ScheduleChange = Keep | Remove | Replace


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """Everything optional about a deploy. None, or nothing, leaves what is deployed as it is."""

    deployment: str | None = None
    flow_name: str | None = None
    flow_version: str | None = None
    namespace: str | None = None
    tags: Mapping[str, str] | None = None
    mode: ExecutionMode = UNCHANGED
    schedule: ScheduleChange = Keep()
    status: str | None = None
    default_executor: str | None = None
    parameters: Mapping[str, Any] | None = None
    packages: Sequence[str] | None = None
    max_concurrent_runs: int | None = None
    bucket: str | None = None
    prefix: str = DEFAULT_PREFIX
    is_forced: bool = False


def schedule_change(expression: str | None, timezone: str | None, *, is_removed: bool = False) -> ScheduleChange:
    """What `--schedule`, `--timezone` and `--no-schedule` mean together.

    Raises: InvalidInput when they contradict each other, or one is given and empty, as a variable of a shell that is
    not set would be.
    """
    for name, value in (("schedule", expression), ("time zone", timezone)):
        if value is not None and not value.strip():
            raise InvalidInput(f"The {name} is empty", "Leave it out to keep what is there; --no-schedule removes it.")
    if is_removed and (expression or timezone):
        raise InvalidInput("--no-schedule contradicts --schedule and --timezone")
    if is_removed:
        return Remove()
    if expression is None and timezone is None:
        return Keep()
    return Replace(expression, timezone)


def check(options: DeployOptions, *, now: float) -> None:
    """Raises: InvalidInput for the first option that cannot be meant, naming it and the rule; a schedule that fires no
    more after `now` is one.
    """
    for kind, value in (
        ("deployment name", options.deployment),
        ("flow name", options.flow_name),
        ("flow version", options.flow_version),
        ("namespace", options.namespace),
    ):
        if value is not None:
            checked_name(kind, value)
    if options.prefix:
        _check_prefix(options.prefix)
    if options.status is not None and options.status not in STATUSES:
        meant = did_you_mean(options.status, STATUSES)
        raise InvalidInput(f"Unknown status '{options.status}'.{meant}", f"One of {', '.join(STATUSES)}.")
    if options.default_executor is not None and options.default_executor not in list(Executor):
        meant = did_you_mean(options.default_executor, Executor)
        raise InvalidInput(f"Unknown executor '{options.default_executor}'.{meant}", f"One of {', '.join(Executor)}.")
    if options.max_concurrent_runs is not None:
        check_run_limit(options.max_concurrent_runs)
    _check_tags(options.tags or {})
    check_count([checked_slug(slug) for slug in options.packages or ()])
    match options.schedule:
        case Replace(expression=None, timezone=str(timezone)):
            checked_timezone(timezone)
        case Replace(expression=str(expression), timezone=timezone):
            schedule = parse_schedule(expression, timezone or DEFAULT_TIMEZONE)
            if not schedule.next_times(now, 1):
                raise InvalidSchedule(f"Schedule {expression!r} lies in the past", "Give a time that is to come.")


def _check_prefix(prefix: str) -> None:
    checked_name("namespace", prefix)
    if is_reserved_key(prefix):
        raise InvalidInput(
            f"Artifacts cannot have the prefix '{prefix}'",
            f"What lies below {' and '.join(f'{name}/' for name in RESERVED_PREFIXES)} in the bucket is data of runs, "
            "which functions may overwrite and which expires.",
        )


def _check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise InvalidInput(f"{len(tags)} tags are too many", f"At most {MAX_TAGS}.")
    for key, value in tags.items():
        if not 0 < len(key) <= MAX_TAG_KEY or not key.isprintable() or len(value) > MAX_TAG_VALUE:
            raise InvalidInput(
                f"Invalid tag {_shortened(key)!r} with the value {_shortened(value)!r}",
                f"A key has 1–{MAX_TAG_KEY} printable characters, here {len(key)}; "
                f"a value at most {MAX_TAG_VALUE}, here {len(value)}.",
            )


def _shortened(text: str) -> str:
    return text if len(text) <= 50 else f"{text[:50]}…"
