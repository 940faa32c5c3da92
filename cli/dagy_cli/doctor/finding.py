"""What a check found."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from dagy.core.errors import DagyError


class Outcome(str, Enum):
    OK = "ok"
    WARNING = "warning"  # it works, and could be better
    FAILED = "failed"
    SKIPPED = "skipped"  # nobody needs it, or it could not be looked at

    __str__ = str.__str__


@dataclass(frozen=True, slots=True)
class Finding:
    """`mend` is the command that makes it right."""

    check: str
    outcome: Outcome
    detail: str
    mend: str | None = None


Check = Callable[[], "list[Finding]"]


def looked_into(check: str, look: Check, *, mend: str) -> list[Finding]:
    """What `look` finds; whatever it raises is a finding, too, mended by `mend`."""
    try:
        return look()
    except DagyError as error:
        return [Finding(check, Outcome.FAILED, str(error), mend)]
    except Exception as error:  # a doctor who falls ill helps nobody
        return [Finding(check, Outcome.FAILED, f"{type(error).__name__}: {error}", mend)]


class Later:
    """A look that goes on beside others, and is not waited for too long."""

    def __init__(self, check: str, look: Check, *, mend: str) -> None:
        self._check, self._mend = check, mend
        self._found: list[Finding] | None = None
        self._thread = threading.Thread(target=lambda: self._keep(looked_into(check, look, mend=mend)), daemon=True)
        self._thread.start()

    def found(self, *, within_s: float) -> list[Finding]:
        self._thread.join(within_s)
        if self._found is not None:
            return self._found
        return [Finding(self._check, Outcome.FAILED, f"no answer within {within_s:g} s", self._mend)]

    def _keep(self, found: list[Finding]) -> None:
        self._found = found
