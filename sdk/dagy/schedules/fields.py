"""One field of a cron expression: from its text to the set of numbers it stands for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from dagy.core.errors import InvalidSchedule

MONTH_NAMES: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAY_NAMES: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True, slots=True)
class Field:
    """What one field may hold. The first of `names` stands for the number `first_named`. `last` is where `*` and
    `n/step` end.
    """

    name: str
    low: int
    high: int
    last: int
    names: tuple[str, ...] = ()
    first_named: int = 0

    @property
    def everything(self) -> frozenset[int]:
        return frozenset(range(self.low, self.last + 1))

    @property
    def allowed(self) -> str:
        named = f" or {self.names[0]}–{self.names[-1]}" if self.names else ""
        return f"{self.low}–{self.high}{named}"


MINUTE: Final = Field("minute", 0, 59, 59)
HOUR: Final = Field("hour", 0, 23, 23)
DAY_OF_MONTH: Final = Field("day-of-month", 1, 31, 31)
MONTH: Final = Field("month", 1, 12, 12, MONTH_NAMES, 1)
DAY_OF_WEEK: Final = Field("day-of-week", 0, 7, 6, DAY_NAMES, 0)  # 0 and 7 are both Sunday
EVENTBRIDGE_DAY_OF_WEEK: Final = Field("day-of-week", 1, 7, 7, DAY_NAMES, 1)
YEAR: Final = Field("year", 1970, 2199, 2199)

_PART: Final = re.compile(r"(?P<start>\*|[0-9A-Z]+)(-(?P<end>[0-9A-Z]+))?(/(?P<step>[0-9]+))?", re.ASCII)


def parse_field(field: Field, text: str) -> frozenset[int]:
    """The numbers that `text` (upper case) stands for: `*`, values, names, ranges, steps, and lists of these.

    Raises: InvalidSchedule naming the field, the value and what is allowed.
    """
    numbers: set[int] = set()
    for part in text.split(","):
        numbers.update(_parse_part(field, part, text))
    return frozenset(numbers)


def parse_value(field: Field, text: str, whole: str) -> int:
    """One number or name. `whole` is the field's text, for the message."""
    if text in field.names:
        return field.names.index(text) + field.first_named
    if re.fullmatch("[0-9]{1,4}", text) and field.low <= int(text) <= field.high:
        return int(text)
    raise wrong(field, whole, f"{text!r} is not one of {field.allowed}")


def wrong(field: Field, text: str, reason: str) -> InvalidSchedule:
    return InvalidSchedule(
        f"Bad {field.name} {text!r}: {reason}",
        f"The {field.name} takes {field.allowed}, lists (a,b), ranges (a-b) and steps (*/n); * means every one.",
    )


def _parse_part(field: Field, part: str, text: str) -> range:
    shape = _PART.fullmatch(part)
    if not shape or (shape["start"] == "*" and shape["end"]):
        raise wrong(field, text, f"{part!r} makes no sense" if part else "something is missing")
    step = int(shape["step"][:6]) if shape["step"] else 1
    if not 1 <= step <= field.last - field.low:
        raise wrong(field, text, f"a step of {step} is not in 1–{field.last - field.low}")
    if shape["start"] == "*":
        return range(field.low, field.last + 1, step)
    start = parse_value(field, shape["start"], text)
    end = max(field.last, start) if shape["step"] else start
    if shape["end"]:
        end = parse_value(field, shape["end"], text)
    if end < start:
        raise wrong(field, text, f"the range {part!r} runs backwards; write it as two, joined with a comma")
    return range(start, end + 1, step)


def compact(numbers: frozenset[int], *, every: frozenset[int] = frozenset(), names: tuple[str, ...] = ()) -> str:
    """The shortest list of values and ranges, ascending, without steps; `*` for `every`. `names[n]` replaces n."""
    if numbers == every:
        return "*"
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    written = [_run(first, last, names) for first, last in runs]
    return ",".join(written)


def _run(first: int, last: int, names: tuple[str, ...]) -> str:
    start, end = (names[first], names[last]) if names else (str(first), str(last))
    if first == last:
        return start
    return f"{start},{end}" if last == first + 1 else f"{start}-{end}"
