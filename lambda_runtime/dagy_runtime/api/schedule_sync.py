"""Keeping a deployment's EventBridge schedule what the deployment says, also when two people deploy at once."""

from __future__ import annotations

from typing import Final

from dagy.core.errors import Conflict, Unavailable
from dagy_runtime.ports import Ports
from dagy_runtime.values import Deployment, DeploymentStatus

_ROUNDS: Final = 20


def sync_schedule(ports: Ports, name: str) -> Deployment | None:
    """Make the schedule fit the deployment as it stands; that deployment, None when there is none.

    Look, set, look again: when somebody changed the deployment between the two looks, their schedule may have been
    set before ours, so the newest is set once more. Whoever looks last sees what they set last, therefore of any
    number of deploys at once the newest deployment's schedule stays. A repeat changes nothing.

    Raises: Unavailable: the deployment is stored, its schedule may be the one from before; a repeat puts it right.
    InvalidInput: EventBridge refuses the schedule; the one from before stands.
    """
    try:
        deployment = ports.registry.get_deployment(name)
        for _ in range(_ROUNDS):
            _set(ports, name, deployment)
            newest = ports.registry.get_deployment(name)
            if newest == deployment:
                return deployment
            deployment = newest
    except Unavailable as error:
        raise Unavailable(
            f"Deployment '{name}' is stored, but its schedule may not be set: {error}",
            "Deploy it again (with --force when nothing else changed).",
        ) from error
    raise Conflict(f"Deployment '{name}' keeps being changed by others", "Deploy it again when they are done.")


def _set(ports: Ports, name: str, deployment: Deployment | None) -> None:
    if deployment is None or deployment.schedule is None:
        ports.schedules.delete(name)
    else:
        is_enabled = deployment.status is DeploymentStatus.ACTIVE
        ports.schedules.put(name, deployment.schedule, is_enabled=is_enabled)
