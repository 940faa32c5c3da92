"""What this version of Dagy can carry out. The rest of the vocabulary is refused here, and only here, until the
engine has it: a setting that is accepted and then ignored would be worse than none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dagy.core.errors import InvalidInput
from dagy.core.sizes import Executor, Isolation

ISOLATIONS: Final = frozenset({Isolation.IN_PROCESS})
EXECUTORS: Final = frozenset({Executor.LAMBDA})


def check_runnable(*, isolation: Isolation, executor: Executor | None, packages: Sequence[str] = ()) -> None:
    """Raises: InvalidInput saying what to use instead."""
    if isolation not in ISOLATIONS:
        raise InvalidInput(
            f"Isolation '{isolation}' is not available yet", "Use 'in-process'. It comes with the task engine."
        )
    if executor is not None and executor not in EXECUTORS:
        raise InvalidInput(
            f"Executor '{executor}' is not available yet", "Use 'lambda'. It comes with the task engine."
        )
    if packages:
        raise InvalidInput(
            "Dependency packages are not available yet", "Put pure Python modules next to the flow; they are included."
        )
