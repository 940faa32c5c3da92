"""What this version of Dagy can carry out on a stage, as that was provisioned."""

from __future__ import annotations

from collections.abc import Sequence

from dagy.core.offer import Offer
from dagy.core.platforms import Platform
from dagy.core.sizes import Executor, Isolation, Size


def offer(
    stage: str, sizes: Sequence[Size], platform: Platform | None = None, *, has_containers: bool = False
) -> Offer:
    return Offer(
        stage,
        sizes=tuple(size for size in Size if size in sizes),
        isolations=tuple(Isolation),
        executors=tuple(executor for executor in Executor if executor is not Executor.ECS or has_containers),
        has_packages=True,
        has_run_limits=True,
        platform=platform,
    )
