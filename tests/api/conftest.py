"""The API over a world in memory, spoken to as a server would: through ASGI, byte by byte."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from dagy.core.names import package_key
from dagy.core.platforms import Platform
from dagy.core.sizes import Size
from dagy.core.spec import FlowSpec, TaskRunSpec, TaskSpec
from dagy.packages.building import write_package
from dagy_runtime.adapters.memory import FakeClock, MemoryPublicKeys, world
from dagy_runtime.api.app import create_app
from dagy_runtime.api.callers import Entrance
from dagy_runtime.engine.buckets import Rate
from dagy_runtime.engine.keys import mint_key
from dagy_runtime.engine.tokens import Issuer
from dagy_runtime.ports import Ports
from dagy_runtime.ports.people import RsaKey
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


ISSUER = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_test"
CLIENT_ID = "5f3example"
ENTRANCE = Entrance(Issuer(ISSUER, CLIENT_ID), "https://pool.example", "https://api.example")


class Pool:
    """A user pool as far as tokens go: it signs what it is told."""

    def __init__(self) -> None:
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        numbers = self.private.public_key().public_numbers()
        self.public = RsaKey(numbers.n, numbers.e)
        self.kid = "key-1="

    def claims(self, now: float, *, user: str = "u-1", **changes: Any) -> dict[str, Any]:
        """Of an access token; None leaves one out."""
        given = {
            "sub": user,
            "iss": ISSUER,
            "client_id": CLIENT_ID,
            "token_use": "access",
            "origin_jti": f"session-of-{user}",
            "jti": "one",
            "scope": "openid email",
            "iat": int(now),
            "exp": int(now) + 3600,
            "username": user,
            **changes,
        }
        return {name: value for name, value in given.items() if value is not None}

    def token(self, claims: Any, *, header: Any = None, key: Any = None) -> str:
        head = {"kid": self.kid, "alg": "RS256"} if header is None else header
        signed = ".".join(encoded(part) for part in (head, claims))
        return f"{signed}.{b64(self.sign(signed.encode(), key))}"

    def sign(self, message: bytes, key: Any = None) -> bytes:
        signature: bytes = (key or self.private).sign(message, padding.PKCS1v15(), hashes.SHA256())
        return signature


def encoded(part: Any) -> str:
    return b64(part if isinstance(part, bytes) else json.dumps(part).encode())


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture(scope="session")
def pool() -> Pool:
    return Pool()


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

    def user(self, pool: Pool, *groups: str, name: str | None = None, **changes: Any) -> Client:
        """Somebody who has just signed in and is in these groups."""
        now = self.ports.clock.now()
        claims = {"user": name or f"{'-'.join(groups) or 'outsider'}-1", "cognito:groups": list(groups), **changes}
        return Client(self.app, pool.token(pool.claims(now, **claims)))

    def elsewhere(self, client: Client) -> Client:
        """The same caller at an instance of the API function that has seen nothing yet."""
        return Client(instance_of(self.ports), client.key)

    def upload(self, data: bytes = b"an artifact", key: str = "dagy/flows/etl/1.0/artifact.zip") -> dict[str, Any]:
        self.ports.blobs.put(key, data)
        return {"bucket": "dagy-artifacts-memory", "key": key, "sha256": hashlib.sha256(data).hexdigest()}

    def upload_package(self, folder: Path, code: str = "a = 1") -> dict[str, Any]:
        """A dependency package with one module, and what registers it."""
        (folder / "a.py").write_text(code)
        contents = write_package(folder / "a.zip", {"a.py": folder / "a.py"}, LAMBDA_ARM, {"a": "1.0"})
        uploaded = self.upload((folder / "a.zip").read_bytes(), key=package_key(contents.slug))
        return {**uploaded, "name": "a"}

    def register(self, spec: FlowSpec, **more: Any) -> Reply:
        body = {"flow_spec": spec.to_dict(), "artifact": self.upload(), **more}
        return self.client("developer").post("/v1/flows", body)


LAMBDA_ARM = Platform("lambda", "arm64", "3.13")


def make_stage(sizes: Sequence[Size] = tuple(Size), rate: Rate | None = None, **overrides: Any) -> Stage:
    clock = FakeClock()
    ports = world(clock=clock, **overrides)
    app = create_app(
        ports, stage="test", version="9.9.9", sizes=sizes, platform=LAMBDA_ARM, entrance=ENTRANCE, rate=rate
    )
    return Stage(ports, clock, app)


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


def instance_of(ports: Ports, rate: Rate | None = None) -> Any:
    """One more instance of the API function over this world, with memory of its own."""
    return create_app(ports, stage="test", version="9.9.9", entrance=ENTRANCE, rate=rate)


@pytest.fixture
def signing_stage(pool: Pool) -> Stage:
    """A stage that takes the pool's tokens."""
    return make_stage(public_keys=MemoryPublicKeys({pool.kid: pool.public}))


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
