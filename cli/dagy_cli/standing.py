"""How things are: the profile, who is asking, what runs here and in the stage. Asked briefly, and nothing twice."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from dagy.config import Profile, resolve_api_url
from dagy.core.errors import DagyError, LocalRecordsError
from dagy.core.states import Status
from dagy.local.cleaning import size_of
from dagy.local.layout import LocalPaths
from dagy.local.paths import local_dir
from dagy.local.records import LocalRecords

if TYPE_CHECKING:
    from dagy.client.http import DagyClient
    from dagy.local.history import LocalRun

ASKED_S: Final = 4.0
MOST_COUNTED: Final = 500
ACTIVE: Final = (Status.RUNNING, Status.PENDING)


def here(*, is_detailed: bool) -> dict[str, Any]:
    """Of this machine; `error` says why its records cannot be read."""
    folder = local_dir().absolute()
    error: str | None = None
    runs: list[LocalRun] = []
    last: LocalRun | None = None
    try:
        with LocalRecords(folder, longest_wait_s=ASKED_S) as records:
            runs = records.list_runs(limit=None, status=Status.RUNNING)
            last = records.latest_run()
    except LocalRecordsError as problem:
        error = str(problem)
    sizes = _sizes(LocalPaths(folder))
    facts: dict[str, Any] = {
        "folder": str(folder),
        "error": error,
        "running": len(runs),
        "last_run": _told(last) if last else None,
        "size_bytes": sum(sizes.values()),
    }
    return {**facts, "running_runs": [_told(run) for run in runs], "sizes_bytes": sizes} if is_detailed else facts


def there(profile: Profile, *, is_detailed: bool) -> dict[str, Any]:
    """Of the stage: `api`, `who` and `remote`, the last two None when they cannot be asked for."""
    from dagy.client.http import connect  # a lazy door: not everybody has a stage

    if resolve_api_url(profile) is None:
        return {"api": None, "who": None, "remote": None}
    client = connect(profile, once_within_s=ASKED_S)
    try:
        health = client.health()
    except DagyError as error:
        return {"api": _api(error=error), "who": None, "remote": None}
    try:
        who = msgspec.to_builtins(client.whoami())
        remote = _remote(client, is_detailed=is_detailed)
    except DagyError as error:
        return {"api": _api(health.version, error), "who": None, "remote": None}
    return {"api": _api(health.version), "who": who, "remote": remote}


def _api(version: str | None = None, error: DagyError | None = None) -> dict[str, Any]:
    return {
        "is_reachable": version is not None,
        "version": version,
        "error": str(error) if error else None,
        "hint": error.hint if error else None,
    }


def _remote(client: DagyClient, *, is_detailed: bool) -> dict[str, Any]:
    """Counts go up to `MOST_COUNTED`: nobody waits for a thousand pages to learn that there is much."""
    active = [run for status in ACTIVE for run in islice(client.iter_runs(status=status.value), MOST_COUNTED)]
    deployments = list(islice(client.iter_deployments(), MOST_COUNTED))
    facts: dict[str, Any] = {"active_runs": len(active), "deployments": len(deployments)}
    if not is_detailed:
        return facts
    failed = next(iter(client.iter_runs(page=1, status=Status.FAILED.value)), None)
    scheduled = [found for found in deployments if found.next_fire_times]
    upcoming = min(scheduled, key=lambda found: found.next_fire_times[0], default=None)
    return {
        **facts,
        "runs": [{"run_id": run.run_id, "status": run.status, "deployment": run.deployment} for run in active],
        "scheduled": len(scheduled),
        "next_fire": {"deployment": upcoming.name, "at": upcoming.next_fire_times[0]} if upcoming else None,
        "last_failed": {"run_id": failed.run_id, "ended_at": failed.ended_at} if failed else None,
    }


def _told(run: LocalRun) -> dict[str, Any]:
    return {"run_id": run.id, "status": run.status.value, "started_at": run.started_at, "ended_at": run.ended_at}


def _sizes(paths: LocalPaths) -> Mapping[str, int]:
    """Of what is there, by what it is."""
    found = {
        "runs": size_of(paths.runs) + size_of(paths.journals),
        "results": size_of(paths.artifacts),
        "builds": size_of(paths.root / "builds"),
        "database": size_of(paths.database),
        "cloud": size_of(paths.root / "cloud"),
    }
    return {name: size for name, size in found.items() if size}
