"""Which local runs are asked for: the same question to the database and to runs that are going on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy.local.history import LocalRun


@dataclass(frozen=True, slots=True)
class RunFilter:
    """No statuses, or empty text, is no condition. `after` and `before` are as runs' `started_at` is."""

    statuses: tuple[Status, ...] = ()
    flow_name: str = ""
    flow_version: str = ""
    after: str = ""
    before: str = ""

    @classmethod
    def of(
        cls,
        statuses: Sequence[Status] = (),
        flow: str | None = None,
        after: float | None = None,
        before: float | None = None,
    ) -> RunFilter:
        """`flow` is a name or `name:version`, the moments are seconds since the epoch."""
        name, _, version = (flow or "").partition(":")
        return cls(tuple(statuses), name, version, _iso(after), _iso(before))

    def fits(self, run: LocalRun) -> bool:
        return (
            (not self.statuses or run.status in self.statuses)
            and self.flow_name in ("", run.flow_name)
            and self.flow_version in ("", run.flow_version)
            and self.after <= run.started_at
            and (not self.before or run.started_at < self.before)
        )


def _iso(moment: float | None) -> str:
    return "" if moment is None else to_iso(moment)
