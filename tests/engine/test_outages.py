"""What the engine does while AWS's own services do not answer, or answer slowly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dagy.core.errors import Unavailable
from dagy.core.states import Status
from dagy_runtime.engine.advance import Finished
from dagy_runtime.engine.pacing import Pacing
from dagy_runtime.engine.reconcile import reconcile
from dagy_runtime.ports import Lost

BRISK = Pacing(check_s=0.05, flush_s=0.05, cancel_grace_s=0.5)

PATIENT = """
    import os, time
    from dagy import flow, task

    @task
    def waits(started: str, go: str) -> int:
        open(started, "a").write(f"{os.getpid()}\\n")
        while not os.path.exists(go):
            time.sleep(0.01)
        print("done waiting")
        return 1

    @flow
    def patient(started: str, go: str):
        return waits(started, go)
"""


class Outage:
    """A port that does not answer while `is_on()`; only the named methods, when any are named."""

    def __init__(self, port: Any, is_on: Callable[[], bool], *, of: tuple[str, ...] = ()) -> None:
        self._port, self._is_on, self._of = port, is_on, of

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._port, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if (not self._of or name in self._of) and self._is_on():
                raise Unavailable(f"{name} did not answer")
            return real(*args, **kwargs)

        return call


def is_gone(pid_file: Path) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pid_file.read_text().split())


@pytest.fixture
def patient(stage, tmp_path):
    started, go = tmp_path / "started", tmp_path / "go"
    run_id = stage.submit(stage.deploy(PATIENT), {"started": str(started), "go": str(go)})
    stage.ports.dispatcher.waiting.clear()
    return run_id, started, go


def test_a_store_that_is_out_for_longer_than_the_lease_has_the_message_delivered_again(stage, patient):
    run_id, started, go = patient
    ports = replace(stage.ports, runs=Outage(stage.ports.runs, started.exists))

    with pytest.raises(Unavailable):  # acknowledging would leave the run to nobody
        stage.advance(run_id, ports=ports, pacing=replace(BRISK, lease_s=0.3, flush_s=60))
    assert is_gone(started)

    stage.clock.advance(31)
    go.touch()
    assert stage.advance(run_id) == Finished(Status.SUCCEEDED)


def test_a_shorter_outage_is_sat_out(stage, patient):
    run_id, started, go = patient
    asked: list[int] = []

    def is_on() -> bool:
        if not started.exists() or len(asked) == 3:
            return False
        asked.append(1)
        if len(asked) == 3:
            go.touch()
        return True

    ports = replace(stage.ports, runs=Outage(stage.ports.runs, is_on, of=("renew_lease",)))
    assert stage.advance(run_id, ports=ports, pacing=replace(BRISK, check_s=0.0)) == Finished(Status.SUCCEEDED)
    assert len(asked) == 3


def test_the_reconciler_looks_again_after_an_outage_of_any_length(stage, patient):
    run_id, _, go = patient
    go.touch()
    is_out = threading.Event()
    is_out.set()
    ports = replace(stage.ports, runs=Outage(stage.ports.runs, is_out.is_set))

    def three_tries_of_aws(_: object) -> None:
        for _ in range(3):
            with pytest.raises(Unavailable):
                reconcile(ports)

    for _ in range(3):
        stage.clock.advance(max(0.0, stage.ports.timers.next_at() - stage.clock.now()))
        assert stage.ports.timers.deliver_due(three_tries_of_aws) == 1
    is_out.clear()
    stage.until_quiet()

    assert stage.run(run_id).status is Status.SUCCEEDED


def test_lines_and_events_that_cannot_be_written_now_are_written_later(stage):
    failures = {"put": 0, "append_events": 0}

    def failing(name: str) -> Callable[[], bool]:
        def is_on() -> bool:
            failures[name] += 1
            return failures[name] <= 3

        return is_on

    ports = replace(
        stage.ports,
        blobs=Outage(stage.ports.blobs, failing("put"), of=("put",)),
        runs=Outage(stage.ports.runs, failing("append_events"), of=("append_events",)),
    )
    run_id = stage.submit(
        stage.deploy("""
            from dagy import flow, task

            @task
            def chatter(n: int) -> int:
                for number in range(2000):
                    print(f"{n} line {number} " + "x" * 200)
                return n

            @flow
            def chatty():
                return [chatter(n) for n in range(10)]
        """)
    )

    assert stage.advance(run_id, ports=ports) == Finished(Status.SUCCEEDED)
    assert [line.split(" x")[0] for line in stage.log(run_id)] == [
        f"{n} line {number}" for n in range(10) for number in range(2000)
    ]
    assert stage.events(run_id).count("task_succeeded") == 10
    assert min(failures.values()) > 3


@pytest.mark.parametrize("port, method", [("blobs", "put"), ("runs", "append_events")])
def test_a_run_does_not_end_before_its_log_and_its_events_are_whole(stage, patient, port, method):
    run_id, _, go = patient
    go.touch()
    out = Outage(getattr(stage.ports, port), lambda: True, of=(method,))

    with pytest.raises(Unavailable):
        stage.advance(run_id, ports=replace(stage.ports, **{port: out}))

    assert stage.run(run_id).status is Status.RUNNING
    assert stage.advance(run_id) == Finished(Status.SUCCEEDED)


def test_a_last_event_that_cannot_be_written_does_not_undo_the_end(stage, patient):
    run_id, _, go = patient
    go.touch()
    has_ended = lambda: stage.run(run_id).status.is_final  # noqa: E731
    ports = replace(stage.ports, runs=Outage(stage.ports.runs, has_ended, of=("append_events",)))

    assert stage.advance(run_id, ports=ports) == Finished(Status.SUCCEEDED)


class Slow:
    """A port whose named methods take 20 seconds, after which somebody else tries to take the run."""

    def __init__(self, port: Any, stage: Any, run_id: str, claims: list[Any], *, of: tuple[str, ...]) -> None:
        self._port, self._stage, self._run_id, self._claims, self._of = port, stage, run_id, claims, of

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._port, name)
        return self._slowly(real) if name in self._of else real

    def _slowly(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, pulse: Callable[[], object] = lambda: None, **kwargs: Any) -> Any:
            for _ in range(3 if "pulse" in real.__annotations__ else 1):
                self._stage.clock.advance(20)
                self._claims.append(
                    self._stage.ports.runs.claim_run(
                        self._run_id, owner="thief/x", now=self._stage.clock.now(), lease_s=30, hop=1
                    )
                )
                pulse()
            return real(*args, **kwargs)

        return call


def test_the_lease_is_kept_while_code_and_results_are_on_their_way(stage):
    run_id = stage.submit(
        stage.deploy("""
            from dagy import flow, task

            @task
            def large() -> str:
                return "x" * (2 * 1024 * 1024)

            @task
            def size(text: str) -> int:
                return len(text)

            @flow
            def heavy():
                return size(large())
        """)
    )
    claims: list[Any] = []
    slow = replace(
        stage.ports,
        runs=Slow(stage.ports.runs, stage, run_id, claims, of=("list_tasks", "put_tasks", "finish_task")),
        blobs=Slow(stage.ports.blobs, stage, run_id, claims, of=("get_file", "put_file")),
    )

    assert stage.advance(run_id, ports=slow, monotonic=stage.clock.now) == Finished(Status.SUCCEEDED)
    assert len(claims) == 1 + 1 + 2 + 3 + 3
    assert [type(claim) for claim in claims] == [Lost] * len(claims)
