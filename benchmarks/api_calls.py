"""What `api.py` asks of the API, route by route, and what has to be there to be asked for."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dagy.core.names import package_key
from dagy.core.platforms import Platform
from dagy.core.slugs import slug_of
from dagy.core.spec import FlowSpec, TaskRunSpec, TaskSpec
from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy.packages.building import write_package
from dagy.results import encode
from dagy_runtime.engine.keys import mint_key
from dagy_runtime.ports import Ports, TaskOutcome
from dagy_runtime.values import ArtifactRef, Event, FlowVersion, Package, ResultRef, Role, TaskRun

PAGE = 100
PLATFORM = Platform("lambda", "arm64", "3.13")
Call = tuple[str, str, Any]


class Known(NamedTuple):
    """What is there to be asked for: made by `get_ready`, or on the local cloud."""

    artifact: Mapping[str, Any]
    open_run: str
    ended_run: str
    ended_task: str
    package: Mapping[str, Any] | None = None  # as it is registered
    spare_packages: Sequence[str] = ()


def get_ready(send: Any, *, times: int) -> dict[str, list[str]]:
    """One of each thing that is looked at, and `times` of those that are deleted; their ids."""
    made = {
        "draft": [
            send(("POST", "/drafts", {"name": "one", "canvas_json": "{}"}))["draft_id"] for _ in range(times + 1)
        ],
        "key": [send(("POST", "/keys", {"name": "spare", "role": "viewer"}))["id"] for _ in range(times)],
        "deployment": [f"spare-{number}" for number in range(times)],
    }
    for name in made["deployment"]:
        send(("POST", "/deployments", {"name": name, "flow_name": "etl", "flow_version": "1.0"}))
    return made


def calls(known: Known, spare: Mapping[str, Sequence[str]]) -> dict[str, Iterator[Call]]:
    """By route, as often as they are wanted: all but those of signing in and out. Writes leave things as they are, add
    one of many, or take a spare one.
    """
    deployment = {"name": "daily", "flow_name": "etl", "flow_version": "1.0"}
    draft = spare["draft"][0]
    ended, user = f"/runs/{known.ended_run}", "/users/person-0@example.com"
    same: dict[str, Call] = {
        "GET /health": ("GET", "/health", None),
        "GET /openapi.json": ("GET", "/openapi.json", None),
        "GET /whoami": ("GET", "/whoami", None),
        "GET /stage": ("GET", "/stage", None),
        "GET /flows (100)": ("GET", f"/flows?limit={PAGE}", None),
        "GET /flows (tag)": ("GET", "/flows?tag=n:7&limit=10", None),
        "GET /flows/{name}": ("GET", "/flows/etl", None),
        "GET /flows/{name}/{version}": ("GET", "/flows/etl/1.0", None),
        "GET /deployments": ("GET", "/deployments?limit=20", None),
        "GET /deployments/{name}": ("GET", "/deployments/daily", None),
        "GET /deployments/{name}/versions": ("GET", "/deployments/daily/versions?limit=10", None),
        "GET /runs (20)": ("GET", "/runs?limit=20", None),
        "GET /runs (flow, 20)": ("GET", "/runs?flow_name=etl&limit=20", None),
        "GET /runs/{run_id}": ("GET", f"/runs/{known.open_run}", None),
        "GET /runs/{run_id}/tasks": ("GET", f"/runs/{known.open_run}/tasks", None),
        "GET /runs/{run_id}/events": ("GET", f"/runs/{known.open_run}/events", None),
        "GET /runs/{run_id}/logs": ("GET", f"/runs/{known.open_run}/logs", None),
        "GET /runs/{run_id}/result": ("GET", f"{ended}/result", None),
        "GET /runs/{run_id}/tasks/{task_run_id}/result": ("GET", f"{ended}/tasks/{known.ended_task}/result", None),
        "GET /drafts": ("GET", "/drafts?limit=20", None),
        "GET /drafts/{draft_id}": ("GET", f"/drafts/{draft}", None),
        "GET /packages": ("GET", "/packages?limit=20", None),
        "GET /keys": ("GET", "/keys?limit=20", None),
        "GET /audit": ("GET", "/audit?limit=20", None),
        "POST /flows": ("POST", "/flows", {"flow_spec": spec("etl").to_dict(), "artifact": known.artifact}),
        "POST /deployments": ("POST", "/deployments", deployment),
        "PUT /deployments/{name}/settings": ("PUT", "/deployments/daily/settings", {"tags": {"a": "b"}}),
        "POST /deployments/{name}/rollback": ("POST", "/deployments/daily/rollback", {"deployment_version": 1}),
        "POST /runs": ("POST", "/runs", {"deployment": "daily"}),
        "POST /runs/bulk (10)": ("POST", "/runs/bulk", {"deployment": "daily", "items": [{}] * 10}),
        "POST /runs/cancel (looks)": ("POST", "/runs/cancel", {"deployment": "daily", "dry_run": True}),
        "POST /runs/{run_id}/cancel": ("POST", f"/runs/{known.open_run}/cancel", None),
        "POST /drafts": ("POST", "/drafts", {"name": "one", "canvas_json": "{}"}),
        "PUT /drafts/{draft_id}": ("PUT", f"/drafts/{draft}", {"canvas_json": "{}"}),
        "POST /keys": ("POST", "/keys", {"name": "one", "role": "viewer"}),
    }
    if known.package is not None:
        same["GET /packages/{slug}"] = ("GET", f"/packages/{known.package['slug']}", None)
        same["POST /packages"] = ("POST", "/packages", known.package["body"])
    every: dict[str, Iterator[Call]] = {name: itertools.repeat(call) for name, call in same.items()}
    every |= {
        "POST /users": (
            ("POST", "/users", {"email": f"person-{number}@example.com", "sends_email": False})
            for number in itertools.count()
        ),
        "GET /users": itertools.repeat(("GET", "/users?limit=20", None)),
        "GET /users/{user}": itertools.repeat(("GET", user, None)),
        "PUT /users/{user}/role": itertools.repeat(("PUT", f"{user}/role", {"role": "viewer"})),
        "POST /users/{user}/disable": itertools.repeat(("POST", f"{user}/disable", None)),
        "POST /users/{user}/enable": itertools.repeat(("POST", f"{user}/enable", None)),
        "DELETE /users/{user}": (("DELETE", f"/users/person-{n}@example.com", None) for n in itertools.count()),
        "DELETE /keys/{key_id}": (("DELETE", f"/keys/{id}", None) for id in spare["key"]),
        "DELETE /drafts/{draft_id}": (("DELETE", f"/drafts/{id}", None) for id in spare["draft"][1:]),
        "DELETE /deployments/{name}": (("DELETE", f"/deployments/{name}", None) for name in spare["deployment"]),
    }
    if known.spare_packages:
        every["DELETE /packages/{slug}"] = (("DELETE", f"/packages/{slug}", None) for slug in known.spare_packages)
    return {name: _LockedIterator(each) for name, each in every.items()}


def send_next(send: Callable[[Call], Any], each: Iterator[Call]) -> Any:
    return send(next(each))


class _LockedIterator(Iterator[Call]):
    """For several threads."""

    def __init__(self, each: Iterator[Call]) -> None:
        self._each, self._lock = each, threading.Lock()

    def __next__(self) -> Call:
        with self._lock:
            return next(self._each)


def spec(name: str) -> FlowSpec:
    """Five tasks in a row."""
    names = ["extract", "clean", "join", "aggregate", "load"]
    runs = [
        TaskRunSpec(f"{one}-1", one, depends_on=[f"{names[place - 1]}-1"] if place else [])
        for place, one in enumerate(names)
    ]
    edges = [[f"{a}-1", f"{b}-1"] for a, b in itertools.pairwise(names)]
    return FlowSpec(
        name, "1.0", "2026-03-04T12:00:00Z", {one: TaskSpec(one, f"etl:{one}") for one in names}, runs, edges
    )


class Filled(NamedTuple):
    """`key` is an admin's."""

    key: str
    artifact: dict[str, str]
    package: dict[str, Any]
    spare_packages: list[str]


def fill(ports: Ports, bucket: str, *, flows: int, spare: int) -> Filled:
    _, key = mint_key(
        ports.keys, ports.clock, ports.ids, name="benchmark", role=Role.ADMIN, expires_in_days=1, created_by="iam"
    )
    data, at = b"an artifact", "2026-03-04T12:00:00.000Z"
    ports.blobs.put("dagy/etl.zip", data)
    found = ports.blobs.find_artifact(bucket, "dagy/etl.zip", None)
    assert found is not None
    for number in range(flows):
        name = f"flow-{number:05d}"
        ports.registry.put_flow(_flow(name, found, at, {"n": str(number % 100)}))
    ports.registry.put_flow(_flow("etl", found, at, {}))
    artifact = {"bucket": bucket, "key": "dagy/etl.zip", "sha256": hashlib.sha256(data).hexdigest()}
    return Filled(key, artifact, _with_package(ports, bucket), [_spare_package(ports, found, n) for n in range(spare)])


def _with_package(ports: Ports, bucket: str) -> dict[str, Any]:
    """One that is uploaded. Its slug, and what registers it."""
    with tempfile.TemporaryDirectory() as folder:
        module, path = Path(folder, "numbers.py"), Path(folder, "package.zip")
        module.write_text("one = 1")
        contents = write_package(path, {"numbers.py": module}, PLATFORM, {"numbers": "1.0"})
        data = path.read_bytes()
    key = package_key(contents.slug)
    ports.blobs.put(key, data)
    body = {"name": "numbers", "bucket": bucket, "key": key, "sha256": hashlib.sha256(data).hexdigest()}
    return {"slug": contents.slug, "body": body}


def _spare_package(ports: Ports, artifact: ArtifactRef, number: int) -> str:
    sha256, at = hashlib.sha256(f"spare {number}".encode()).hexdigest(), "2026-03-04T12:00:00.000Z"
    slug = slug_of(sha256)
    ports.packages.put_package(Package(slug, "spare", artifact, sha256, PLATFORM, {}, (), 0, 0, at, "benchmark"))
    return slug


def _flow(name: str, artifact: ArtifactRef, at: str, tags: dict[str, str]) -> FlowVersion:
    return FlowVersion(name, "1.0", spec(name), artifact, artifact.sha256, "data/orders", tags, at, at)


def begin_run(ports: Ports, run_id: str) -> None:
    names = ["extract", "clean", "join", "aggregate", "load"]
    ports.runs.put_tasks(
        run_id, [TaskRun(run_id, f"{one}-1", one, Status.PENDING, place) for place, one in enumerate(names)]
    )
    ports.runs.append_events(
        [
            Event(run_id, ports.ids.unique(), "2026-03-04T12:00:00.000Z", "task_started", data={"n": n})
            for n in range(20)
        ]
    )


def end_run(ports: Ports, run_id: str) -> None:
    """With a result of its own and of its one task."""
    now = ports.clock.now()
    at, made = to_iso(now), encode({"rows": 3})
    result = ResultRef(made.codec, made.size_bytes, made.sha256, made.data)
    ports.runs.claim_run(run_id, owner="benchmark", now=now, lease_s=30, hop=0)
    ports.runs.put_tasks(run_id, [TaskRun(run_id, "load-1", "load", Status.PENDING, 0)])
    ports.runs.start_task(run_id, "load-1", attempt=1, attempt_id="one", started_at=at)
    outcome = TaskOutcome(Status.SUCCEEDED, 1, at, result)
    ports.runs.finish_task(run_id, "load-1", attempt_id="one", outcome=outcome)
    ports.runs.finish_run(run_id, owner="benchmark", status=Status.SUCCEEDED, ended_at=at, result=result)
