"""A stage in memory whose runtime function really forks, and flows that are really built."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dagy.artifact import build_artifact, load_target
from dagy.core.names import package_key
from dagy.core.platforms import Platform
from dagy.core.sizes import DEFAULT_ISOLATION, DEFAULT_SIZE, ExecutionMode, Isolation
from dagy.core.spec import FlowSpec
from dagy.packages.building import write_package
from dagy.packages.host import host_platform
from dagy.results import decode
from dagy_runtime.adapters import memory
from dagy_runtime.engine.advance import Advanced, advance
from dagy_runtime.engine.isolated.release import release_tasks
from dagy_runtime.engine.isolated.task import RanTask, run_task
from dagy_runtime.engine.logs import read_logs
from dagy_runtime.engine.pacing import Pacing
from dagy_runtime.engine.package_cache import PackageCache
from dagy_runtime.engine.results import load_result
from dagy_runtime.engine.submit import submit_run
from dagy_runtime.engine.workshop import ForkedWorkshop
from dagy_runtime.entrypoints import control
from dagy_runtime.entrypoints.runtime import again_at
from dagy_runtime.messages import AdvanceRun, ReleaseTasks, RunTask, to_json
from dagy_runtime.ports import Ports
from dagy_runtime.values import (
    Deployment,
    DeploymentStatus,
    FlowVersion,
    Package,
    Run,
    ScheduleSpec,
    TaskRun,
    Trigger,
)

HERE = host_platform()
BRISK = Pacing(check_s=0.05, flush_s=0.05, cancel_grace_s=0.5)


@dataclass
class Stage:
    """One stage: `ports` is its world; `deliver` is AWS, which brings messages to functions."""

    ports: Ports
    clock: memory.FakeClock
    build: Callable[[str, Mapping[str, str]], Built]
    console: list[str] = field(default_factory=list)
    cache: PackageCache = field(default_factory=lambda: PackageCache(platform=HERE))
    advanced: list[Advanced] = field(default_factory=list)
    ran: list[RanTask] = field(default_factory=list)

    def deploy(self, source: str, *, files: Mapping[str, str] | None = None) -> FlowVersion:
        built = self.build(textwrap.dedent(source), files or {})
        key = f"flows/{built.sha256}.zip"
        self.ports.blobs.put(key, built.data)
        artifact = self.ports.blobs.find_artifact(self.ports.blobs.bucket, key, None)
        assert artifact is not None
        flow = FlowVersion(
            name=built.spec.name,
            version=built.spec.version,
            spec=built.spec,
            artifact=artifact,
            code_hash=None,
            namespace="",
            tags={},
            created_at="2026-03-04T12:00:00.000Z",
            updated_at="2026-03-04T12:00:00.000Z",
        )
        return self.ports.registry.put_flow(flow)

    def register_package(self, files: Mapping[str, str], *, platform: Platform = HERE) -> Package:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            sources = {}
            for number, (name, text) in enumerate(files.items()):
                sources[name] = Path(folder, str(number))
                sources[name].write_text(textwrap.dedent(text))
            path = Path(folder, "package.zip")
            contents = write_package(path, sources, platform, {"some": "1"})
            self.ports.blobs.put(package_key(contents.slug), path.read_bytes())
        artifact = self.ports.blobs.find_artifact(self.ports.blobs.bucket, package_key(contents.slug), None)
        assert artifact is not None
        return self.ports.packages.put_package(
            Package(
                slug=contents.slug,
                name="some",
                artifact=artifact,
                contents_sha256=contents.sha256,
                platform=contents.platform,
                distributions=contents.distributions,
                modules=contents.modules,
                unpacked_bytes=contents.unpacked_bytes,
                file_count=len(contents.files),
                created_at="2026-03-04T12:00:00.000Z",
                created_by="somebody",
            )
        )

    def deployment(self, flow: FlowVersion, **changes: Any) -> Deployment:
        deployment = Deployment(
            name=flow.name,
            flow_name=flow.name,
            flow_version=flow.version,
            deployment_version=0,
            status=DeploymentStatus.ACTIVE,
            size=DEFAULT_SIZE,
            isolation=DEFAULT_ISOLATION,
            created_at="2026-03-04T12:00:00.000Z",
            updated_at="2026-03-04T12:00:00.000Z",
            schedule=ScheduleSpec("*/5 * * * *", "Europe/Athens"),
        )
        return self.ports.registry.put_deployment(replace(deployment, **changes), expected_version=None)

    def submit(
        self,
        flow: FlowVersion,
        parameters: Mapping[str, Any] | None = None,
        *,
        isolation: Isolation = DEFAULT_ISOLATION,
        deployment: Deployment | None = None,
        **options: Any,
    ) -> str:
        creation = submit_run(
            self.ports,
            flow=flow,
            deployment=deployment,
            parameters=parameters or {},
            mode=ExecutionMode(isolation=isolation),
            trigger=Trigger.MANUAL,
            requested_by="somebody",
            **options,
        )
        return creation.run.id

    def advance(
        self,
        message: AdvanceRun | str,
        *,
        ports: Ports | None = None,
        budget: Callable[[], Callable[[], float]] = lambda: lambda: 900.0,
        pacing: Pacing = BRISK,
        request_id: str = "request-1",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> Advanced:
        """One invocation; `budget` makes its clock of the time that is left."""
        message = AdvanceRun(message) if isinstance(message, str) else message
        advanced = advance(
            ports or self.ports,
            message,
            time_left=budget(),
            request_id=request_id,
            pacing=pacing,
            console=self.console.append,
            monotonic=monotonic,
            workshop=ForkedWorkshop((ports or self.ports).blobs, self.cache),
        )
        self.advanced.append(advanced)
        return advanced

    def deliver(self, **how: Any) -> None:
        """Bring every message that waits to its function, and let every execution that is due go on, until none is."""
        while self.ports.dispatcher.deliver_all(lambda delivery: self._handle(delivery, how)):
            self.go_on(**how)

    def go_on(self, **how: Any) -> None:
        """Let executions go on that are due, and start the containers that wait."""
        self.ports.executions.go_on(lambda delivery: self._handle(delivery, how))
        self.ports.containers.go_on(lambda delivery: self.handle(delivery.message, is_container=True))

    def until_quiet(self, **how: Any) -> None:
        """As `deliver`, and let time pass until no timer and no execution waits."""
        self.deliver(**how)
        while dues := [at for at in (self.ports.timers.next_at(), self.ports.executions.next_at()) if at is not None]:
            self.clock.advance(max(0.0, min(dues) - self.clock.now()))
            self.ports.timers.deliver_due(lambda delivery: self._handle(delivery, how))
            self.go_on(**how)
            self.deliver(**how)

    def _handle(self, delivery: memory.Delivery, how: Mapping[str, Any]) -> float | None:
        """What an execution is told: when to go on."""
        if delivery.size is None:
            control.handle(self.ports, to_json(delivery.message))
            return None
        return self.handle(delivery.message, **how)

    def handle(
        self, message: Any, *, is_container: bool = False, time_left: Callable[[], float] = lambda: 900.0, **how: Any
    ) -> float | None:
        """Bring one message to a runtime function; when it wants to be invoked again, if it can be told."""
        match message:
            case AdvanceRun():
                self.advance(message, **how)
            case ReleaseTasks():
                release_tasks(self.ports, message)
            case RunTask():
                self.ran.append(
                    run_task(
                        self.ports,
                        message,
                        time_left=time_left,
                        request_id="request-1",
                        pacing=BRISK,
                        console=self.console.append,
                        sleep=self.clock.advance,
                        workshop=ForkedWorkshop(self.ports.blobs, self.cache),
                        is_container=is_container,
                    )
                )
                return again_at(self.ran[-1])
        return None

    def run_to_end(self, source: str, parameters: Mapping[str, Any] | None = None, **options: Any) -> Run:
        run_id = self.submit(self.deploy(source), parameters, **options)
        self.until_quiet()
        return self.run(run_id)

    def run(self, run_id: str) -> Run:
        run = self.ports.runs.get_run(run_id)
        assert run is not None
        return run

    def tasks(self, run_id: str) -> dict[str, TaskRun]:
        return {task.id: task for task in self.ports.runs.list_tasks(run_id, limit=1000).items}

    def events(self, run_id: str) -> list[str]:
        return [event.type for event in self.ports.runs.list_events(run_id, limit=10_000).items]

    def log(self, run_id: str, task_run_id: str | None = None) -> list[str]:
        lines: list[str] = []
        cursor, is_complete = None, False
        while not is_complete:
            page = read_logs(self.ports, self.run(run_id), after=cursor, task_run_id=task_run_id, limit=100_000)
            lines += [entry.line for entry in page.lines]
            is_complete = page.is_complete or page.cursor == cursor
            cursor = page.cursor
        return lines

    def result(self, run_id: str) -> Any:
        ref = self.run(run_id).result
        return decode(load_result(self.ports.blobs, ref)) if ref is not None else None


@dataclass(frozen=True)
class Built:
    data: bytes
    spec: FlowSpec

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@pytest.fixture(scope="session")
def build() -> Callable[[str, Mapping[str, str]], Built]:
    """Artifacts by source, built in a process of their own: what the engine forks has never seen these modules."""
    known: dict[str, Built] = {}

    def built(source: str, files: Mapping[str, str]) -> Built:
        identity = repr((source, sorted(files.items())))
        if identity not in known:
            with multiprocessing.get_context("fork").Pool(1) as pool:
                data, spec = pool.apply(_build, (source, dict(files)))
            known[identity] = Built(data, FlowSpec.from_dict(spec))
        return known[identity]

    return built


def _build(source: str, files: dict[str, str]) -> tuple[bytes, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder, "project")
        project.mkdir()
        for name, text in {"the_flow.py": source, **files}.items():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(textwrap.dedent(text))
        artifact = build_artifact(load_target(f"{project / 'the_flow.py'}"), output_dir=Path(folder, "out"))
        return Path(artifact.path).read_bytes(), artifact.spec.to_dict()


@pytest.fixture
def stage(build: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    temp = tmp_path / "tmp"
    temp.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temp))
    ports = memory.world()
    stage = Stage(ports, ports.clock, build)
    yield stage
    stage.cache.clear()
    for root in temp.glob(f"dagy-run-{os.getpid()}-packages"):
        root.rmdir()
    assert list(temp.iterdir()) == [], "every run takes its folders with it"
