"""What this version of Dagy can carry out on a stage. The rest of the vocabulary is refused until the engine has it."""

from __future__ import annotations

from collections.abc import Sequence

from dagy.core.offer import Offer
from dagy.core.platforms import Platform
from dagy.core.sizes import Executor, Isolation, Size


def offer(stage: str, sizes: Sequence[Size], platform: Platform | None = None) -> Offer:
    return Offer(
        stage,
        sizes=tuple(size for size in Size if size in sizes),
        isolations=tuple(Isolation),
        executors=(Executor.LAMBDA, Executor.STEP_FUNCTIONS),
        has_packages=True,
        has_run_limits=True,
        platform=platform,
    )
