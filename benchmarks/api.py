"""What the API costs in time and in DynamoDB's units.

    .venv/bin/python benchmarks/api.py [--local-cloud] [--json FILE]

Under uvicorn with the memory adapter: each route at 100 requests a second for three seconds, open loop, so that a slow
answer delays no later request and its wait is counted; and 10,000 flows listed page by page. On moto: read and write
units of each call. With `--local-cloud`: each route, one request after the other, on the emulator. Takes about
four minutes, eight with it.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import urllib3
from api_calls import PAGE, Call, Filled, Known, begin_run, calls, end_run, fill, get_ready, send_next
from metering import Units
from moto import mock_aws

from dagy_runtime.adapters import aws, memory
from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.adapters.aws.system import RandomIds, SystemClock
from dagy_runtime.api.app import create_app
from dagy_runtime.ports import Ports

BIN = Path(sys.executable).parent
RATE, FOR_S, FLOWS, RUNS = 100, 3.0, 10_000, 1_000
LOCAL_CLOUD_CALLS = 100
AT_A_RATE = 10 + int(RATE * FOR_S)  # calls of one route, those to warm up included


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--local-cloud", action="store_true", help="also on the emulator")
    arguments.add_argument("--json", type=Path, help="also write the figures there")
    arguments.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.serve:
        serve(options.serve)
        return
    figures: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}"
    }
    figures |= under_uvicorn()
    figures |= units()
    if options.local_cloud:
        figures |= on_the_local_cloud()
    for name, value in figures.items():
        print(f"{name:58} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


# --- under uvicorn ------------------------------------------------------------------------------------------


def serve(port: int) -> None:
    """In a process of its own. Says on stdout what callers need."""
    import uvicorn

    ports = memory.world(clock=SystemClock(), ids=RandomIds())
    filled = fill(ports, "dagy-artifacts-memory", flows=FLOWS, spare=AT_A_RATE)
    app = create_app(ports, stage="bench", version="0.1.0")
    print(json.dumps(filled._asdict()), flush=True)

    async def with_tasks(scope: Any, receive: Any, send: Any) -> None:
        """`/begin/<run id>` gives a run its tasks and events, as the engine would, `/end/<run id>` an end."""
        _, what, *rest = scope["path"].split("/") if scope["type"] == "http" else ("", "")
        if what in ("begin", "end"):
            (begin_run if what == "begin" else end_run)(ports, rest[0])
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    uvicorn.run(with_tasks, host="127.0.0.1", port=port, log_level="warning", access_log=False)


class Caller:
    """Sends requests to one API. Thread-safe."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self._pool = url, urllib3.PoolManager(maxsize=64, block=False)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def __call__(self, call: Call) -> Any:
        method, path, body = call
        data = json.dumps(body).encode() if body is not None else None
        answer = self._pool.request(method, f"{self.url}{path}", body=data, headers=self._headers, retries=False)
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.data[:300]!r}")
        return json.loads(answer.data) if answer.data else None


@contextlib.contextmanager
def server() -> Iterator[tuple[Caller, Filled]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, __file__, "--serve", str(port)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        filled = Filled(**json.loads(process.stdout.readline()))
        _await(lambda: socket.create_connection(("127.0.0.1", port), timeout=1).close())
        yield Caller(f"http://127.0.0.1:{port}/v1", filled.key), filled
    finally:
        process.terminate()
        process.wait(timeout=10)


def under_uvicorn() -> dict[str, str]:
    figures: dict[str, str] = {}
    with server() as (send, filled):
        figures |= pages(send)
        send(("POST", "/deployments", {"name": "daily", "flow_name": "etl", "flow_version": "1.0"}))
        for _ in range(RUNS):
            began, ended = (send(("POST", "/runs", {"deployment": "daily"}))["run_id"] for _ in range(2))
        for path in (f"/begin/{began}", f"/end/{ended}"):
            urllib3.request("POST", send.url.removesuffix("/v1") + path)
        known = Known(filled.artifact, began, ended, "load-1", filled.package, filled.spare_packages)
        send(("POST", "/packages", filled.package["body"]))
        reads: list[float] = []
        for name, each in calls(known, get_ready(send, times=AT_A_RATE)).items():
            taken = at_rate(partial(send_next, send, each))
            figures[f"uvicorn, {RATE}/s: {name}"] = described(taken)
            reads += taken if name.startswith("GET") else []
        figures[f"uvicorn, {RATE}/s: all reads"] = described(reads)
    return figures


def at_rate(act: Callable[[], Any]) -> list[float]:
    """Seconds from when each request was due until it was answered."""
    taken: list[float] = []
    lock = threading.Lock()

    def one(due: float) -> None:
        act()
        with lock:
            taken.append(time.perf_counter() - due)

    for _ in range(10):
        act()
    with ThreadPoolExecutor(32) as pool:
        start = time.perf_counter()
        waiting = []
        for number in range(int(RATE * FOR_S)):
            due = start + number / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            waiting.append(pool.submit(one, due))
        for one_waiting in waiting:
            one_waiting.result()
    return taken


def pages(send: Caller) -> dict[str, str]:
    taken: list[float] = []
    cursor: str | None = None
    count = 0
    while True:
        path = f"/flows?limit={PAGE}" + (f"&cursor={cursor}" if cursor else "")
        before = time.perf_counter()
        answer = send(("GET", path, None))
        taken.append(time.perf_counter() - before)
        count += len(answer["items"])
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert count == FLOWS + 1
    first, last = statistics.median(taken[1:21]), statistics.median(taken[-21:-1])
    told = f"first 20 {_ms(first)}, last 20 {_ms(last)}, slowest {_ms(max(taken))}"
    return {f"uvicorn: {count:,} flows in {len(taken)} pages, median of a page": told}


# --- units --------------------------------------------------------------------------------------------------


def units() -> dict[str, str]:
    figures: dict[str, str] = {}
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with mock_aws():
        ports, dynamodb = aws_world()
        filled = fill(ports, "dagy-bench", flows=500, spare=1)
        counted = Units()
        counted.watch(dynamodb)
        send = InProcess(create_app(ports, stage="bench", version="0.1.0"), filled.key)
        send(("POST", "/deployments", {"name": "daily", "flow_name": "etl", "flow_version": "1.0"}))
        began, ended = (send(("POST", "/runs", {"deployment": "daily"}))["run_id"] for _ in range(2))
        begin_run(ports, began)
        end_run(ports, ended)
        known = Known(filled.artifact, began, ended, "load-1", filled.package, filled.spare_packages)
        send(("POST", "/packages", filled.package["body"]))
        for name, each in calls(known, get_ready(send, times=1)).items():
            if "/users" in name:
                continue  # Cognito's, which knows no units
            counted.take()
            send(next(each))
            reads, writes, requests = counted.take()
            figures[f"units: {name}"] = f"{reads:g} read, {writes:g} written, {requests} requests"
    return figures


def aws_world() -> tuple[Ports, Any]:
    name = "dagy-bench"
    environ = {
        "AWS_REGION": "us-east-1",
        "DAGY_STAGE": "bench",
        "DAGY_TABLE": name,
        "DAGY_BUCKET": name,
        "DAGY_RUNTIMES": '{"nano": "dagy-nano"}',
        "DAGY_CONTROL_FUNCTION": "dagy-control",
        "DAGY_TIMER_STATE_MACHINE": "none",
        "DAGY_SCHEDULE_GROUP": name,
        "DAGY_SCHEDULE_ROLE": "arn:aws:iam::000000000000:role/dagy-schedules",
        "DAGY_CONTROL_FUNCTION_ARN": "arn:aws:lambda:us-east-1:000000000000:function:dagy-control",
    }
    clients = Clients(environ)
    dynamodb = clients.get("dynamodb")
    dynamodb.create_table(TableName=name, **schema.table_definition())
    clients.get("s3").create_bucket(Bucket=name)
    clients.get("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    clients.get("scheduler").create_schedule_group(Name=name)
    waking = memory.world()
    world = aws.world(environ)
    ports = {field: getattr(world, field) for field in type(world).__struct_fields__}
    return type(world)(**{**ports, "dispatcher": waking.dispatcher, "timers": waking.timers}), dynamodb


class InProcess:
    """As `Caller`, without a server."""

    def __init__(self, app: Any, key: str) -> None:
        import runpy

        made = runpy.run_path(str(Path(__file__).parents[1] / "tests" / "api" / "conftest.py"))
        self._client = made["Client"](app, key)

    def __call__(self, call: Call) -> Any:
        method, path, body = call
        path, _, query = path.partition("?")
        pairs = [tuple(pair.split("=", 1)) for pair in query.split("&") if pair]
        reply = self._client.request(method, f"/v1{path}", json_body=body, query=pairs)
        if reply.status >= 400:
            raise RuntimeError(f"{method} {path}: {reply.status} {reply.body[:300]!r}")
        return reply.json() if reply.body else None


# --- on the local cloud -------------------------------------------------------------------------------------


def on_the_local_cloud() -> dict[str, str]:
    figures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "DAGY_LOCAL_DIR": home, "DAGY_PROFILE": "local"}
        environ.pop("AWS_ACCESS_KEY_ID", None)
        environ.pop("AWS_SECRET_ACCESS_KEY", None)
        try:
            _dagy(environ, "local", "start")
            flow = Path(home, "etl.py")
            flow.write_text(_FLOW)
            _dagy(environ, "deploy", f"{flow}:etl", "--deployment", "daily", "--flow-version", "1.0")
            told = json.loads(_dagy(environ, "run", "daily", "--remote", "--wait", "--json"))
            url, key = _profile(environ)
            send = Caller(url, key)
            artifact = send(("GET", "/flows/etl/1.0", None))
            where = artifact["artifact_s3_uri"].removeprefix("s3://").split("/", 1)
            body = {"bucket": where[0], "key": where[1], "sha256": artifact["artifact_sha256"]}
            asked = calls(
                Known(body, told["run_id"], told["run_id"], "one-1"), get_ready(send, times=LOCAL_CLOUD_CALLS)
            )
            registered = ("POST", "/flows", {"flow_spec": artifact["flow_spec"], "artifact": body})
            asked["POST /flows"] = itertools.repeat(registered)
            for name in ("POST /runs", "POST /runs/bulk (10)"):  # each would run
                del asked[name]
            for name, each in asked.items():
                figures[f"local cloud: {name}"] = described(_in_turn(partial(send_next, send, each)))
        finally:
            _dagy(environ, "local", "stop")
    return figures


_FLOW = """
from dagy import flow, task

@task
def one(n: int) -> int:
    return n

@flow
def etl():
    return [one(n) for n in range(5)]
"""


def _dagy(environ: Mapping[str, str], *words: str) -> str:
    done = subprocess.run([BIN / "dagy", *words], env=dict(environ), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"dagy {' '.join(words)}: {done.stderr}")
    return done.stdout


def _profile(environ: Mapping[str, str]) -> tuple[str, str]:
    script = (
        "from dagy.config import resolve_profile as r, resolve_api_url as u\n"
        "from dagy.client.transport import api_root\nfrom dagy.credentials import resolve_token as t\n"
        "p = r('local'); print(api_root(u(p))); print(t('local', api_url=u(p)))"
    )
    done = subprocess.run([sys.executable, "-c", script], env=dict(environ), capture_output=True, text=True, check=True)
    url, key = done.stdout.split()
    return url, key


def _in_turn(act: Callable[[], Any]) -> list[float]:
    taken = []
    for _ in range(LOCAL_CLOUD_CALLS):
        before = time.perf_counter()
        act()
        taken.append(time.perf_counter() - before)
    return taken


def described(taken: Sequence[float]) -> str:
    in_order = sorted(taken)
    p99 = in_order[min(len(in_order) - 1, int(len(in_order) * 0.99))]
    return f"median {_ms(statistics.median(in_order))}, p99 {_ms(p99)}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _await(act: Callable[[], Any]) -> None:
    for _ in range(200):
        try:
            act()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("The server did not start")


if __name__ == "__main__":
    main()
