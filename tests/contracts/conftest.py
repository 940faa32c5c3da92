"""The worlds that every contract is tried on: memory, AWS as moto plays it, and, when `DAGY_CONTRACT_ENDPOINT` is the
URL of an AWS emulator, AWS as that plays it.

A world is made anew for each test, with a table and a bucket of its own.
"""

from __future__ import annotations

import itertools
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from dagy.core.sizes import Isolation, Size
from dagy.core.spec import FlowSpec
from dagy.core.states import Status
from dagy.core.timestamps import to_iso
from dagy_runtime.adapters import aws, memory
from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.ports import Ports
from dagy_runtime.values import (
    ApiKey,
    ArtifactRef,
    DeadLetter,
    Deployment,
    DeploymentStatus,
    Event,
    FlowVersion,
    Role,
    Run,
    TaskRun,
    Trigger,
)

ENDPOINT = os.environ.get("DAGY_CONTRACT_ENDPOINT")
START_S = 1_772_625_600.0  # 2026-03-04T12:00:00Z
REGION = "us-east-1"
ROLE_ARN = "arn:aws:iam::000000000000:role/dagy-schedules"
CONTROL_ARN = f"arn:aws:lambda:{REGION}:000000000000:function:dagy-control"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marked = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "world_factory" in metafunc.fixturenames and "world_factory" not in marked:
        names = ["memory", "moto", *(["emulator"] if ENDPOINT else [])]
        metafunc.parametrize("world_factory", names, indirect=True)


@pytest.fixture(scope="module")
def moto() -> Iterator[None]:
    """One request at a time: DynamoDB is atomic per item, moto under several threads is not.

    For a file and no longer: moto empties its world only when nobody else is inside.
    """
    answer, one_at_a_time = BotocoreStubber.__call__, threading.RLock()

    def answer_alone(*args: Any, **kwargs: Any) -> Any:
        with one_at_a_time:
            return answer(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setattr(BotocoreStubber, "__call__", answer_alone)
        yield


@pytest.fixture
def world_factory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Ports]:
    """Makes worlds of one kind, each empty."""
    kind = request.param
    if kind == "memory":
        return memory.world
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    if kind == "emulator":
        monkeypatch.setenv("AWS_ENDPOINT_URL", str(ENDPOINT))
    else:
        monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
        request.getfixturevalue("moto")
    return make_aws_world


@pytest.fixture
def world(world_factory: Callable[[], Ports]) -> Ports:
    return world_factory()


def make_aws_world(*, with_pool: bool = False) -> Ports:
    """With a user pool when asked: making one takes moto longer than all else."""
    name = f"dagy-{uuid.uuid4().hex[:12]}"
    environ = {"AWS_REGION": REGION}
    if "AWS_ENDPOINT_URL" in os.environ:
        environ["AWS_ENDPOINT_URL"] = os.environ["AWS_ENDPOINT_URL"]
    clients = Clients(environ)
    clients.get("dynamodb").create_table(TableName=name, **schema.table_definition())
    clients.get("s3").create_bucket(Bucket=name)
    clients.get("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    clients.get("scheduler").create_schedule_group(Name=name)
    machine = clients.get("stepfunctions").create_state_machine(
        name=name, definition=TIMER_DEFINITION, roleArn=ROLE_ARN
    )
    environ |= {
        "DAGY_STAGE": "test",
        "DAGY_TABLE": name,
        "DAGY_BUCKET": name,
        "DAGY_RUNTIMES": '{"nano": "dagy-nano", "micro": "dagy-micro"}',
        "DAGY_CONTROL_FUNCTION": "dagy-control",
        "DAGY_TIMER_STATE_MACHINE": machine["stateMachineArn"],
        "DAGY_SCHEDULE_GROUP": name,
        "DAGY_SCHEDULE_ROLE": ROLE_ARN,
        "DAGY_CONTROL_FUNCTION_ARN": CONTROL_ARN,
    }
    if with_pool:
        environ |= make_pool(clients, name)
    return aws.world(environ)


def make_pool(clients: Clients, name: str) -> dict[str, str]:
    cognito = clients.get("cognito-idp")
    pool = cognito.create_user_pool(PoolName=name, UsernameAttributes=["email"])["UserPool"]["Id"]
    for role in Role:
        cognito.create_group(UserPoolId=pool, GroupName=role.value)
    issuer = f"https://cognito-idp.{REGION}.amazonaws.com/{pool}"
    return {
        "DAGY_USER_POOL": pool,
        "DAGY_ISSUER": issuer,
        "DAGY_CLIENT_ID": "client",
        "DAGY_JWKS_URL": f"{issuer}/.well-known/jwks.json",
        "DAGY_SIGN_IN_URL": "https://pool.example",
        "DAGY_APP_URL": "https://api.example",
    }


TIMER_DEFINITION = '{"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "TimestampPath": "$.until", "End": true}}}'


class Make:
    """Values with everything filled in that a test does not care about."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def at(self, seconds: float) -> str:
        return to_iso(START_S + seconds)

    def run(self, id: str | None = None, *, seconds: float = 0, **changes: Any) -> Run:
        """Created `seconds` after the start of time."""
        given: dict[str, Any] = {
            "id": id or f"run-{next(self._numbers):04d}",
            "flow_name": "etl",
            "flow_version": "v1",
            "artifact": ArtifactRef("bucket", "artifacts/etl.zip", "ab" * 32, "v1", 1234),
            "size": Size.NANO,
            "isolation": Isolation.IN_PROCESS,
            "parameters": {},
            "trigger": Trigger.MANUAL,
            "created_at": self.at(seconds),
            "status": Status.PENDING,
            "deployment": "nightly",
        }
        return Run(**{**given, **changes})

    def task(self, run_id: str, position: int, **changes: Any) -> TaskRun:
        given: dict[str, Any] = {
            "run_id": run_id,
            "id": f"extract-{position + 1}",
            "task_name": "extract",
            "status": Status.PENDING,
            "position": position,
        }
        return TaskRun(**{**given, **changes})

    def flow(self, name: str = "etl", version: str = "v1", **changes: Any) -> FlowVersion:
        given: dict[str, Any] = {
            "name": name,
            "version": version,
            "spec": FlowSpec(name=name, version=version, created_at=self.at(0)),
            "artifact": ArtifactRef("bucket", f"artifacts/{name}.zip", "ab" * 32, "v1", 1234),
            "code_hash": "cd" * 32,
            "namespace": "team",
            "tags": {},
            "created_at": self.at(0),
            "updated_at": self.at(0),
        }
        return FlowVersion(**{**given, **changes})

    def deployment(self, name: str = "nightly", **changes: Any) -> Deployment:
        given: dict[str, Any] = {
            "name": name,
            "flow_name": "etl",
            "flow_version": "v1",
            "deployment_version": 0,
            "status": DeploymentStatus.ACTIVE,
            "size": Size.SMALL,
            "isolation": Isolation.IN_PROCESS,
            "created_at": self.at(0),
            "updated_at": self.at(0),
        }
        return Deployment(**{**given, **changes})

    def event(self, run_id: str, number: int, **changes: Any) -> Event:
        given: dict[str, Any] = {
            "run_id": run_id,
            "id": f"{number:026d}",
            "at": self.at(number),
            "type": "task_started",
        }
        return Event(**{**given, **changes})

    def key(self, id: str, *, seconds: float = 0, **changes: Any) -> ApiKey:
        given: dict[str, Any] = {
            "id": id,
            "name": f"key {id}",
            "role": Role.DEVELOPER,
            "secret_sha256": "ef" * 32,
            "created_at": self.at(seconds),
            "created_by": "somebody",
        }
        return ApiKey(**{**given, **changes})

    def dead_letter(self, id: str, *, seconds: float = 0, **changes: Any) -> DeadLetter:
        given: dict[str, Any] = {"id": id, "at": self.at(seconds), "reason": "gone", "message": {"kind": "advance-run"}}
        return DeadLetter(**{**given, **changes})


@pytest.fixture
def make() -> Make:
    return Make()


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    """`together(act, args)`: call `act` with each of `args` at the same moment, one thread each; their answers."""

    def call_all(act: Callable[[Any], Any], arguments: list[Any]) -> list[Any]:
        barrier = threading.Barrier(len(arguments))

        def call(argument: Any) -> Any:
            barrier.wait(timeout=10)
            return act(argument)

        with ThreadPoolExecutor(len(arguments)) as pool:
            return list(pool.map(call, arguments))

    return call_all


@pytest.fixture
def drain() -> Callable[..., list[Any]]:
    """`drain(list_method, limit=…, **filters)`: all items of a list, page by page."""

    def all_pages(list_page: Callable[..., Any], *, limit: int, **filters: Any) -> list[Any]:
        items: list[Any] = []
        cursor = None
        while True:
            page = list_page(limit=limit, cursor=cursor, **filters)
            assert len(page.items) <= limit
            items += page.items
            cursor = page.cursor
            if cursor is None:
                return items

    return all_pages
