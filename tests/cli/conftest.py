"""The command line, called as a shell calls it, and a stage to talk to: the real API over loopback HTTP on ports in
memory, its bucket in moto.

The stage's clock is the machine's. Runs are not executed (that is the engine's own business); `Stage.play` writes
into the stage what an engine would.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import pytest
from moto import mock_aws

from dagy.config import write_profile
from dagy.core.platforms import Platform
from dagy.core.sizes import Size
from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy_cli.root import run
from dagy_runtime.adapters.aws.blobs import S3Blobs
from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.adapters.aws.system import RandomIds, SystemClock
from dagy_runtime.adapters.memory import world
from dagy_runtime.api.app import create_app
from dagy_runtime.engine.dead_letters import GivenUp, bury
from dagy_runtime.engine.keys import mint_key
from dagy_runtime.messages import Message, to_json
from dagy_runtime.ports import Ports, TaskOutcome
from dagy_runtime.values import Event, Problem, ResultRef, Role, TaskRun

LAMBDA_ARM = Platform("lambda", "arm64", "3.13")
BUCKET = "dagy-artifacts-123456789012-us-east-1"
FLOW = """\
from dagy import flow, task

@task(retries=2)
def extract(source: str):
    return [1, 2, 3]

@task(timeout_seconds=60)
def load(rows):
    return sum(rows)

@flow
def etl(source: str = "here", n: int = 1):
    return load(extract(source))
"""


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def error(self) -> dict[str, Any]:
        """The error of a command whose answers are read by machines."""
        found: dict[str, Any] = json.loads(self.stderr.splitlines()[-1])["error"]
        return found


@dataclass(frozen=True)
class Dagy:
    capture: pytest.CaptureFixture[str]
    home: Path

    def __call__(self, *words: str, expect: int | None = 0) -> Said:
        self.capture.readouterr()
        code = run(list(words))
        said = Said(int(code), *self.capture.readouterr())
        if expect is not None:
            assert said.code == expect, f"dagy {' '.join(words)}: exit {said.code}\n{said.stdout}\n{said.stderr}"
        return said


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and an empty project as current folder."""
    for name in list(os.environ):
        if name.startswith(("DAGY_", "AWS_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", io.StringIO())  # nobody is there to ask
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("DAGY_LOCAL_DIR", str(tmp_path / "home"))
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    return tmp_path / "home"


@pytest.fixture
def dagy(home: Path, capsys: pytest.CaptureFixture[str]) -> Dagy:
    return Dagy(capsys, home)


@pytest.fixture
def project(home: Path, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Write a flow file of a name of its own into the project (modules stay loaded), and return its name."""

    def write(source: str = FLOW, name: str | None = None) -> str:
        stem = name or "flow_" + re.sub(r"\W+", "_", request.node.name).strip("_").lower()[:60]
        path = Path.cwd() / f"{stem}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        return f"{stem}.py"

    return write


@dataclass
class Stage:
    """A stage whose engine is played by hand."""

    url: str
    ports: Ports
    s3: Any
    asked: list[str] = field(default_factory=list)

    def key(self, role: str = "admin") -> str:
        _, text = mint_key(
            self.ports.keys,
            self.ports.clock,
            self.ports.ids,
            name=role,
            role=Role(role),
            expires_in_days=1,
            created_by="test",
        )
        return text

    @property
    def uploads(self) -> int:
        return len(self.s3.list_object_versions(Bucket=BUCKET).get("Versions", []))

    def bury(self, message: Message) -> str:
        """The dead letter of a message that AWS gave up on."""
        given_up = GivenUp("RetriesExhausted", "request-1", 3, "Runtime.ExitError: signal: killed", to_json(message))
        return bury(self.ports, given_up).id

    def play(self, run_id: str, *, fails_with: str | None = None, result: Any = 6) -> None:
        """The run, from its start to its end: two tasks, a line of log each."""
        now, runs = self.ports.clock.now(), self.ports.runs
        at = to_iso(now)
        won = runs.claim_run(run_id, owner="played", now=now, lease_s=60, hop=0)
        assert won.run is not None
        names = ["extract", "load"]
        tasks = [
            TaskRun(
                run_id,
                f"{name}-1",
                name,
                Status.PENDING,
                position,
                depends_on=tuple(f"{n}-1" for n in names[:position]),
            )
            for position, name in enumerate(names)
        ]
        runs.put_tasks(run_id, tasks)
        runs.append_events([Event(run_id, self.ports.ids.unique(), at, "run_started")])
        lines: list[dict[str, Any]] = []
        problem = Problem("ValueError", fails_with, "Traceback …") if fails_with else None
        for task in tasks:
            is_bad = problem is not None and task.task_name == "load"
            runs.start_task(run_id, task.id, attempt=1, attempt_id=f"a-{task.id}", started_at=at)
            lines.append({"at": at, "task_run_id": task.id, "stream": "stdout", "line": f"hello from {task.id}"})
            status = Status.FAILED if is_bad else Status.SUCCEEDED
            outcome = TaskOutcome(
                status, 1, at, result=None if is_bad else _stored([1, 2, 3]),
                problem=problem if is_bad else None, duration_s=0.25, cpu_s=0.1, peak_mib=30.5,
            )  # fmt: skip
            runs.finish_task(run_id, task.id, attempt_id=f"a-{task.id}", outcome=outcome)
        chunk = "".join(json.dumps(line) + "\n" for line in lines)
        self.ports.blobs.put(f"runs/{run_id}/logs/0000-played-000000.jsonl", chunk.encode())
        runs.finish_run(
            run_id,
            owner="played",
            status=Status.FAILED if problem else Status.SUCCEEDED,
            ended_at=at,
            problem=problem,
            result=None if problem else _stored(result),
        )


def _stored(value: Any) -> ResultRef:
    import hashlib

    data = json.dumps(value).encode()
    return ResultRef("json", len(data), hashlib.sha256(data).hexdigest(), inline=data)


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """AWS as moto plays it, with the stage's bucket: one for a file of tests, because making it is slow."""
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield client


@pytest.fixture
def manifest(stage: Stage) -> Iterator[Callable[..., None]]:
    """Write the manifest of stage `dev`."""
    ssm = boto3.client("ssm", region_name="us-east-1")
    name = "/dagy/dev/manifest"

    def write(**facts: Any) -> None:
        known = {
            "schema_version": 1, "stack_version": "0.1.0", "stage": "dev", "region": "us-east-1", "table": "dagy-dev",
            "account": "123456789012", "api_url": stage.url, "app_url": None, "bucket": BUCKET, "a_new_field": 1,
        }  # fmt: skip
        ssm.put_parameter(Name=name, Type="String", Value=json.dumps({**known, **facts}))

    yield write
    ssm.delete_parameters(Names=[name])


@pytest.fixture
def sizes() -> tuple[Size, ...]:
    """The sizes that stage `dev` has functions for."""
    return tuple(Size)


@pytest.fixture
def stage(home: Path, s3: Any, sizes: tuple[Size, ...], monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage `dev` with nothing in it, and the profile `dev` that points to it. Its bucket is named in the
    environment, because moto takes seconds to load SSM.
    """
    monkeypatch.setenv("DAGY_ARTIFACT_BUCKET", BUCKET)
    ports = world(clock=SystemClock(), ids=RandomIds(), blobs=S3Blobs(Clients({"AWS_REGION": "us-east-1"}), BUCKET))
    stage = Stage("", ports, s3)
    with serving(create_app(ports, stage="dev", version="0.1.0", sizes=sizes, platform=LAMBDA_ARM), stage.asked) as url:
        stage.url = url
        write_profile("dev", api_url=url, stage="dev", region="us-east-1", table_format="plain", api_key=stage.key())
        yield stage
    for version in s3.list_object_versions(Bucket=BUCKET).get("Versions", []):
        s3.delete_object(Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])


@pytest.fixture
def serve() -> type[serving]:
    return serving


class serving:
    """An ASGI application behind loopback HTTP, for as long as the block lasts."""

    def __init__(self, app: Any, asked: list[str]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # an answer is written in two pieces; the second would wait 40 ms

            def handle_any(self) -> None:
                asked.append(f"{self.command} {self.path}")
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, answer = asyncio.run(_exchange(app, self, body))
                self.send_response(status)
                for name, value in headers:
                    if name.lower() != b"content-length":
                        self.send_header(name.decode(), value.decode())
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.thread = threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.httpd.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self.httpd.shutdown()
        self.thread.join()
        self.httpd.server_close()


async def _exchange(app: Any, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[Any], bytes]:
    url = urlsplit(request.path)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.command,
        "scheme": "http",
        "path": unquote(url.path),
        "raw_path": url.path.encode(),
        "root_path": "",
        "query_string": url.query.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in request.headers.items()],
        "server": ("127.0.0.1", 80),
        "client": request.client_address,
    }
    incoming = [{"type": "http.request", "body": body, "more_body": False}]
    outgoing: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        outgoing.append(message)

    await app(scope, receive, send)
    return outgoing[0]["status"], outgoing[0]["headers"], b"".join(part.get("body", b"") for part in outgoing[1:])


class Aws(BaseHTTPRequestHandler):
    """CloudFormation and STS of one account, in a few lines: moto's CloudFormation needs every service that moto has.
    Stacks are `region/name`.
    """

    stacks: set[str]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/", self.headers["Authorization"])
        query = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        action, name = query["Action"][0], query.get("StackName", [""])[0]
        stack = f"{scope[1] if scope else None}/{name}"
        status, answer = 200, ""
        if action == "GetCallerIdentity":
            answer = "<Account>123456789012</Account>"
        elif action == "DeleteStack":
            self.stacks.discard(stack)
        elif stack in self.stacks:
            answer = (
                f"<Stacks><member><StackName>{name}</StackName><StackStatus>CREATE_COMPLETE</StackStatus>"
                "<CreationTime>2026-01-01T00:00:00Z</CreationTime>"
                f"<Outputs><member><OutputKey>Of{name.rpartition('-')[2]}</OutputKey><OutputValue>here</OutputValue>"
                "</member></Outputs></member></Stacks>"
            )
        else:
            status = 400
        body = f"<{action}Response><{action}Result>{answer}</{action}Result></{action}Response>"
        if status == 400:
            words = f"Stack with id {name} does not exist"
            body = (
                f"<ErrorResponse><Error><Code>ValidationError</Code><Message>{words}</Message></Error></ErrorResponse>"
            )
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def aws(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stages `dev` in us-east-1 and `prod` in eu-west-1, provisioned in an account that the environment points to."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it holds the credentials it was made with
    standing = {
        f"{place}-{part}" for place in ("us-east-1/Dagy-dev", "eu-west-1/Dagy-prod") for part in ("Data", "App")
    }
    handler = type("Handler", (Aws,), {"stacks": standing})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
