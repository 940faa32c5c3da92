"""Moments as people type them: `2026-03-04`, `2026-03-04T12:00:00Z`, or how long ago, `90m`, `24h`, `7d`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from dagy.core.errors import InvalidInput
from dagy.core.timestamps import to_epoch

F = TypeVar("F", bound=Callable[..., Any])
SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Moment(click.ParamType):  # type: ignore[type-arg]
    """Seconds since the epoch. Times without an offset are UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        ago = re.fullmatch(r"([0-9]{1,6})([smhdw])", value.strip(), re.ASCII)
        if ago:
            return time.time() - int(ago[1]) * SECONDS[ago[2]]
        try:
            return max(0.0, to_epoch(value.strip()))  # nothing ran before 1970
        except InvalidInput:
            self.fail(f"{value!r} is no time. Write 2026-03-04, 2026-03-04T12:00:00Z, or 24h or 7d for so long ago.")


class Age(click.ParamType):  # type: ignore[type-arg]
    """Seconds."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        age = re.fullmatch(r"([0-9]{1,6})([smhdw])", value.strip(), re.ASCII)
        if age is None:
            self.fail(f"{value!r} is no age. Write 30m, 24h, 7d or 4w.")
        return float(int(age[1]) * SECONDS[age[2]])


def period_options(command: F) -> F:
    """`--after` and `--before`, in seconds since the epoch."""
    before = click.option("--before", type=Moment(), help="Only runs begun before this time.")
    after = click.option("--after", type=Moment(), help="Only runs begun at this time or later; 24h is so long ago.")
    return after(before(command))
