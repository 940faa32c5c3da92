"""One thing goes wrong, at every point at which it can: nothing of what is promised depends on where."""

from __future__ import annotations

import os

import pytest

from .references import REFERENCES, SINGLE_FAULTS, WIDE
from .stories import Telling

ALL = os.environ.get("DAGY_EVERY_FAULT") == "1"
CANCELLED = ("a chain of 3", "a diamond of 2", "a lattice of 2 by 2", "short retries", "long retries", "a fan-out of 5")


def points(name: str, number: int) -> range:
    """Operations at which to strike: all, or every so many, beginning elsewhere in each story."""
    operations = Telling(1, REFERENCES[name]).kernel.operations
    assert operations > 5
    stride = 1 if ALL else 97 if name == WIDE else 23
    return range(1 + number % stride, operations + 1, stride)


@pytest.mark.parametrize(
    ("name", "fault"),
    [(name, fault) for name in REFERENCES for fault in SINGLE_FAULTS if name != WIDE or fault.startswith("crash")],
)
def test_one_fault_changes_no_outcome(name: str, fault: str) -> None:
    story = REFERENCES[name]
    wrong = {
        at: found
        for at in points(name, SINGLE_FAULTS.index(fault) * 5)
        if (found := Telling(1, story, strike_at=at, strike=fault).violations())
    }
    assert not wrong, f"Telling(1, REFERENCES[{name!r}], strike_at=<point>, strike={fault!r}) tells it again: {wrong}"


@pytest.mark.parametrize("name", CANCELLED)
def test_a_cancel_between_any_two_operations_ends_the_run(name: str) -> None:
    for at in points(name, 3):
        telling = Telling(1, REFERENCES[name], strike_at=at, cancels_when_struck=True)
        assert telling.violations() == [], f"cancelled before operation {at}"


def test_nothing_goes_wrong_with_no_fault() -> None:
    found = {name: Telling(1, story).violations() for name, story in REFERENCES.items()}
    assert not any(found.values()), found
