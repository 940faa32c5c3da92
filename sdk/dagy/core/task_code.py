"""The code of a task as digests, and what of it changed since."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Dict


@dataclass(frozen=True, slots=True)
class TaskCode:
    """`place` is where the task stands (`flow.py:34`), `own` the digest of its function. `uses` has a digest for
    everything else: `SCALE in flow.py`, `helpers.py`. `unknown` says why it cannot be compared.
    """

    place: str
    own: str = ""
    uses: Dict[str, str] = field(default_factory=dict)
    unknown: str = ""


def digest_of(code: TaskCode) -> str:
    """Equal digests mean equal code. Where it stands does not count."""
    text = json.dumps([code.own, code.uses], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def changed_code(before: TaskCode | None, now: TaskCode) -> str | None:
    """Why a result of the code `before` is none of the code `now`; None when it is."""
    if before is None:
        return "its code was not recorded"
    unknown = before.unknown or now.unknown
    if unknown:
        return f"its code cannot be compared: {unknown}"
    if before.own != now.own:
        return f"its code changed ({now.place})"
    different = [name for name, digest in now.uses.items() if before.uses.get(name) not in (None, digest)]
    if different:
        return f"it uses {different[0]}, which changed"
    if before.uses != now.uses:
        return f"it uses other code than before: {min(set(before.uses) ^ set(now.uses))}"
    return None
