"""The API over a world in memory, spoken to as a server would: through ASGI, byte by byte."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

import pytest

from dagy.core.platforms import Platform
from dagy.core.sizes import Size
from dagy.core.spec import FlowSpec, TaskRunSpec, TaskSpec
from dagy_runtime.adapters.memory import FakeClock, world
from dagy_runtime.api.app import create_app
from dagy_runtime.engine.keys import mint_key
from dagy_runtime.ports import Ports
from dagy_runtime.values import Role


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json()["error"]
        return found


class Client:
    """One request, one event loop: may be used from several threads at once."""

    def __init__(self, app: Any, key: str | None = None) -> None:
        self.app, self.key = app, key

    def request(
        self,
        method: str,
        path: str,
        *,
        json_body: Any = None,
        body: bytes = b"",
        query: Any = (),
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        body = json.dumps(json_body).encode() if json_body is not None else body
        sent = {"content-length": str(len(body)), **(headers or {})}
        if self.key is not None and "authorization" not in sent:
            sent["authorization"] = f"Bearer {self.key}"
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": unquote(path),
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": urlencode(query, doseq=True).encode(),
            "headers": [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in sent.items()],
            "server": ("api.example", 443),
        }
        return asyncio.run(self._exchange(scope, body))

    async def _exchange(self, scope: dict[str, Any], body: bytes) -> Reply:
        incoming = [{"type": "http.request", "body": body, "more_body": False}]
        outgoing: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return incoming.pop(0) if incoming else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            outgoing.append(message)

        await self.app(scope, receive, send)
        headers = {k.decode().lower(): v.decode() for k, v in outgoing[0]["headers"]}
        return Reply(outgoing[0]["status"], headers, b"".join(part.get("body", b"") for part in outgoing[1:]))

    def get(self, path: str, **options: Any) -> Reply:
        return self.request("GET", path, **options)

    def post(self, path: str, json_body: Any = None, **options: Any) -> Reply:
        return self.request("POST", path, json_body=json_body, **options)

    def put(self, path: str, json_body: Any = None, **options: Any) -> Reply:
        return self.request("PUT", path, json_body=json_body, **options)

    def delete(self, path: str, **options: Any) -> Reply:
        return self.request("DELETE", path, **options)


@dataclass
class Stage:
    """A stage in memory with one key per role."""

    ports: Ports
    clock: FakeClock
    app: Any
    texts: dict[str, str] = field(default_factory=dict)

    def key(self, role: str, *, name: str | None = None, days: int | None = 90) -> str:
        _, text = mint_key(
            self.ports.keys,
            self.ports.clock,
            self.ports.ids,
            name=name or f"{role} key",
            role=Role(role),
            expires_in_days=days,
            created_by="iam",
        )
        return text

    def client(self, role: str = "admin") -> Client:
        if role not in self.texts:
            self.texts[role] = self.key(role)
        return Client(self.app, self.texts[role])

    def anonymous(self) -> Client:
        return Client(self.app)

    def upload(self, data: bytes = b"an artifact", key: str = "dagy/flows/etl/1.0/artifact.zip") -> dict[str, Any]:
        self.ports.blobs.put(key, data)
        return {"bucket": "dagy-artifacts-memory", "key": key, "sha256": hashlib.sha256(data).hexdigest()}

    def register(self, spec: FlowSpec, **more: Any) -> Reply:
        body = {"flow_spec": spec.to_dict(), "artifact": self.upload(), **more}
        return self.client("developer").post("/v1/flows", body)


LAMBDA_ARM = Platform("lambda", "arm64", "3.13")


def make_stage(sizes: Sequence[Size] = tuple(Size), **overrides: Any) -> Stage:
    clock = FakeClock()
    ports = world(clock=clock, **overrides)
    return Stage(ports, clock, create_app(ports, stage="test", version="9.9.9", sizes=sizes, platform=LAMBDA_ARM))


def make_spec(name: str = "etl", version: str = "1.0", parameters: list[dict[str, Any]] | None = None) -> FlowSpec:
    return FlowSpec(
        name=name,
        version=version,
        created_at="2026-03-04T12:00:00Z",
        tasks={"load": TaskSpec("load", "etl:load"), "save": TaskSpec("save", "etl:save")},
        task_runs=[
            TaskRunSpec("load-1", "load", args=[{"$param": "day"}]),
            TaskRunSpec("save-1", "save", depends_on=["load-1"], args=[{"$ref": "load-1"}]),
        ],
        edges=[["load-1", "save-1"]],
        outputs={"$ref": "save-1"},
        parameters=PARAMETERS if parameters is None else parameters,
    )


PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "day",
        "type": "str",
        "schema": {"type": "string"},
        "required": True,
        "kind": "positional_or_keyword",
    },
    {
        "name": "limit",
        "type": "int",
        "schema": {"type": "integer"},
        "required": False,
        "default": 10,
        "kind": "keyword_only",
    },
]


@pytest.fixture
def stage() -> Stage:
    return make_stage()


@pytest.fixture(scope="session")
def new_stage() -> Callable[..., Stage]:
    return make_stage


@pytest.fixture(scope="session")
def spec() -> Callable[..., FlowSpec]:
    return make_spec


@pytest.fixture
def deployed(stage: Stage) -> Stage:
    """With flow `etl` 1.0 and deployment `daily`, which knows the day."""
    assert stage.register(make_spec()).status == 200
    body = {"name": "daily", "flow_name": "etl", "flow_version": "1.0", "parameters": {"day": "monday"}}
    assert stage.client("developer").post("/v1/deployments", body).status == 200
    return stage
