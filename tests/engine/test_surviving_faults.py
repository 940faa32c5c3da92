"""What becomes of a run when messages come twice, functions die, time runs out, or somebody cancels."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dagy.core.errors import Unavailable
from dagy.core.states import Status
from dagy_runtime.engine.advance import Abandoned, Finished, HandedOver, Ignored
from dagy_runtime.engine.cancel import cancel_run
from dagy_runtime.engine.pacing import Pacing, drain_margin_s, kill_margin_s
from dagy_runtime.messages import AdvanceRun

BRISK = Pacing(check_s=0.05, flush_s=0.05, cancel_grace_s=0.5)

CHAIN = """
    import os
    from dagy import flow, task

    @task
    def link(number: int, diary: str, before: int = 0) -> int:
        fd = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, f"{number}\\n".encode())
        os.close(fd)
        print(f"link {number}")
        return before + number

    @flow
    def chain(diary: str, links: int = 12):
        total = 0
        for number in range(links):
            total = link(number, diary, total)
        return total
"""

ENDLESS = """
    import os
    from dagy import flow, task

    @task
    def quick() -> int:
        return 1

    @task
    def forever(started: str, quick: int) -> int:
        open(started, "a").write(f"{os.getpid()}\\n")
        while True:
            pass

    @flow
    def endless(started: str, is_first: bool = True):
        return forever(started, 1 if is_first else quick())
"""


def starts(diary: Path) -> list[int]:
    return [int(line) for line in diary.read_text().split()]


class Failing:
    """A port whose named method works `times` times and then breaks, once, before or after it has done its work."""

    def __init__(self, port: Any, method: str, *, times: int, after: bool = False) -> None:
        self._port, self._method, self._left, self._after = port, method, times, after

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._port, name)
        return self._broken(real) if name == self._method else real

    def _broken(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            if self._left != -1:
                return real(*args, **kwargs)
            if self._after:
                real(*args, **kwargs)
            raise Unavailable(f"{self._method} did not answer")

        return call


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize(
    "method, times",
    [
        ("list_tasks", 0),
        ("put_tasks", 0),
        ("start_task", 0),
        ("start_task", 3),
        ("finish_task", 0),
        ("finish_task", 3),
        ("finish_run", 0),
    ],
)
def test_a_run_whose_function_died_goes_on_where_it_stopped(stage, tmp_path, method, times, after):
    diary = tmp_path / "diary"
    run_id = stage.submit(stage.deploy(CHAIN), {"diary": str(diary), "links": 5})
    dying = replace(stage.ports, runs=Failing(stage.ports.runs, method, times=times, after=after))

    with pytest.raises(Unavailable):
        stage.advance(run_id, ports=dying)
    redelivered = stage.advance(run_id)

    if method == "finish_run" and after:
        assert redelivered == Ignored("run_final")
    assert (stage.run(run_id).status, stage.result(run_id)) == (Status.SUCCEEDED, 10)
    done = starts(diary)
    assert sorted(set(done)) == [0, 1, 2, 3, 4]
    assert len(done) <= 6, "one fault makes at most one more start"
    assert {task.attempt for task in stage.tasks(run_id).values()} == {1}, "an interruption is no attempt"


def test_the_same_message_to_two_functions_at_once_runs_every_task_once(stage, tmp_path):
    diary = tmp_path / "diary"
    run_id = stage.submit(stage.deploy(CHAIN), {"diary": str(diary)})

    with ThreadPoolExecutor(2) as pool:
        advanced = list(pool.map(stage.advance, [run_id, run_id]))

    assert sorted(map(repr, advanced)) in (
        sorted(map(repr, [Finished(Status.SUCCEEDED), Ignored("run_leased")])),
        sorted(map(repr, [Finished(Status.SUCCEEDED), Ignored("run_final")])),
    )
    assert starts(diary) == list(range(12))


def test_a_function_that_lost_its_lease_kills_its_child_and_writes_nothing_more(stage, tmp_path):
    started = tmp_path / "started"
    run_id = stage.submit(stage.deploy(ENDLESS), {"started": str(started)})

    def thief() -> float:
        """Another invocation takes over once the task runs, as if this one had been frozen for a minute."""
        if started.exists() and stage.ports.runs.get_lease(run_id).owner.startswith("request-1/"):
            stage.clock.advance(60)
            stage.ports.runs.claim_run(run_id, owner="request-2/x", now=stage.clock.now(), lease_s=30, hop=1)
        return 900.0

    assert stage.advance(run_id, budget=lambda: thief) == Abandoned()
    assert stage.run(run_id).status is Status.RUNNING
    assert stage.tasks(run_id)["forever-1"].status is Status.RUNNING
    assert is_gone(started)
    assert stage.ports.runs.get_lease(run_id).owner == "request-2/x"


def is_gone(pid_file: Path) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pid_file.read_text().split())


class Hops:
    """The time of a function that can do about `tasks` tasks per invocation, by what its child has printed."""

    def __init__(self, console: list[str], tasks: int) -> None:
        self._console, self._tasks = console, tasks

    def __call__(self) -> Callable[[], float]:
        before = len(self._console)
        return lambda: 900.0 if len(self._console) - before < self._tasks else 50.0


def test_a_flow_longer_than_a_function_goes_on_in_the_next(stage, tmp_path):
    diary = tmp_path / "diary"
    run_id = stage.submit(stage.deploy(CHAIN), {"diary": str(diary), "links": 60})

    stage.until_quiet(budget=Hops(stage.console, 3))

    run = stage.run(run_id)
    hand_overs = [advanced for advanced in stage.advanced if isinstance(advanced, HandedOver)]
    assert (run.status, stage.result(run_id)) == (Status.SUCCEEDED, sum(range(60)))
    assert starts(diary) == list(range(60)), "every task ran once, in order"
    assert len(hand_overs) >= 2
    assert run.hops == len(hand_overs) + 1
    assert [line for line in stage.log(run_id) if line.startswith("link")] == [f"link {n}" for n in range(60)]
    assert stage.events(run_id).count("run_resumed") == len(hand_overs)


def test_a_run_may_not_use_invocations_without_end(stage, tmp_path):
    run_id = stage.submit(stage.deploy(CHAIN), {"diary": str(tmp_path / "diary"), "links": 60})

    stage.until_quiet(budget=Hops(stage.console, 1), pacing=replace(BRISK, max_hops=3))

    assert stage.run(run_id).problem.error_type == "TooManyInvocations"


def time_is_up_once(path: Path) -> Callable[[], Callable[[], float]]:
    return lambda: lambda: 1.0 if path.exists() else 900.0


def test_a_task_that_had_the_whole_time_fails_with_a_way_out(stage, tmp_path):
    started = tmp_path / "started"
    run_id = stage.submit(stage.deploy(ENDLESS), {"started": str(started)})

    stage.until_quiet(budget=time_is_up_once(started))

    task = stage.tasks(run_id)["forever-1"]
    assert (stage.run(run_id).status, task.status) == (Status.FAILED, Status.FAILED)
    assert task.problem.error_type == "OutOfTime"
    assert "900 seconds" in task.problem.message and "smaller tasks" in task.problem.message
    assert is_gone(started)


def test_a_task_that_began_late_gets_an_invocation_of_its_own_first(stage, tmp_path):
    started = tmp_path / "started"
    run_id = stage.submit(stage.deploy(ENDLESS), {"started": str(started), "is_first": False})

    first = stage.advance(run_id, budget=time_is_up_once(started))
    after_first = stage.tasks(run_id)["forever-1"]
    started.unlink()
    stage.until_quiet(budget=time_is_up_once(started))

    assert first == HandedOver(1, 0.0)
    assert (after_first.status, after_first.attempt) == (Status.PENDING, 0)
    assert stage.tasks(run_id)["forever-1"].problem.error_type == "OutOfTime"
    assert stage.tasks(run_id)["forever-1"].attempt == 1


def test_a_flow_that_takes_all_the_time_to_import_fails(stage, tmp_path):
    marker = tmp_path / "importing"
    run_id = stage.submit(
        stage.deploy(f"""
            import os, time
            if "DAGY_RUN_ID" in os.environ:
                open({str(marker)!r}, "w").close()
                time.sleep(3600)
            from dagy import flow, task

            @task
            def one() -> int:
                return 1

            @flow
            def slow_import():
                return one()
        """)
    )

    stage.until_quiet(budget=time_is_up_once(marker))

    assert stage.run(run_id).problem.error_type == "OutOfTime"
    assert "Importing and tracing" in stage.run(run_id).problem.message


def test_cancelling_a_running_run_kills_it(stage, tmp_path):
    started = tmp_path / "started"
    run_id = stage.submit(stage.deploy(ENDLESS), {"started": str(started)})

    def cancel_when_started() -> float:
        if started.exists():
            assert cancel_run(stage.ports, run_id).status in (Status.RUNNING, Status.CANCELLED)
        return 900.0

    assert stage.advance(run_id, budget=lambda: cancel_when_started) == Finished(Status.CANCELLED)
    assert stage.run(run_id).status is Status.CANCELLED
    assert stage.tasks(run_id)["forever-1"].status is Status.CANCELLED
    assert is_gone(started)


def test_cancelling_a_run_that_waits_ends_it_at_once_and_for_ever(stage, tmp_path):
    flow = stage.deploy(CHAIN)
    diary = tmp_path / "diary"
    run_id = stage.submit(flow, {"diary": str(diary)})

    assert cancel_run(stage.ports, run_id).status is Status.CANCELLED
    assert cancel_run(stage.ports, run_id).status is Status.CANCELLED
    stage.until_quiet()

    assert stage.run(run_id).status is Status.CANCELLED
    assert not diary.exists(), "no task started"


def test_cancelling_a_run_that_waits_for_a_retry_ends_it_at_once(stage):
    run_id = stage.submit(
        stage.deploy("""
            from dagy import flow, task

            @task(retries=5, retry_delay_seconds=3600)
            def never() -> int:
                raise ConnectionError("no")

            @flow
            def waiting():
                return never()
        """)
    )
    stage.deliver()
    assert stage.run(run_id).status is Status.RUNNING

    assert cancel_run(stage.ports, run_id).status is Status.CANCELLED
    assert stage.tasks(run_id)["never-1"].status is Status.CANCELLED
    stage.until_quiet()
    assert stage.advanced[-1] == Ignored("run_final")


def test_a_cancel_that_a_dead_function_never_saw_is_seen_by_the_next(stage, tmp_path):
    diary = tmp_path / "diary"
    run_id = stage.submit(stage.deploy(CHAIN), {"diary": str(diary)})
    stage.ports.runs.claim_run(run_id, owner="dead/x", now=stage.clock.now(), lease_s=30, hop=0)
    assert cancel_run(stage.ports, run_id).status is Status.RUNNING

    stage.clock.advance(31)

    assert stage.advance(run_id) == Finished(Status.CANCELLED)
    assert not diary.exists()


def test_a_task_that_takes_its_function_along_every_time_comes_to_an_end(stage, tmp_path):
    diary = tmp_path / "diary"
    run_id = stage.submit(stage.deploy(CHAIN), {"diary": str(diary), "links": 2})
    for _ in range(4):
        dying = replace(stage.ports, runs=Failing(stage.ports.runs, "finish_task", times=0))
        with pytest.raises(Unavailable):
            stage.advance(run_id, ports=dying)

    assert stage.advance(run_id) == Finished(Status.FAILED)
    assert stage.tasks(run_id)["link-1"].problem.error_type == "FunctionDied"
    assert len(starts(diary)) == 4


def test_a_flow_whose_plan_changes_between_invocations_fails_and_says_so(stage, tmp_path):
    marker = tmp_path / "marker"
    run_id = stage.submit(
        stage.deploy(f"""
            from pathlib import Path
            from dagy import flow, task

            @task
            def one(n: int) -> int:
                Path({str(marker)!r}).touch()
                print("one")
                return n

            @flow
            def moody():
                total = 0
                for _ in range(40 if Path({str(marker)!r}).exists() else 60):
                    total = one(total)
                return total
        """)
    )

    stage.until_quiet(budget=Hops(stage.console, 1))

    assert stage.run(run_id).problem.error_type == "PlanChanged"
    assert "depend on its parameters only" in stage.run(run_id).problem.message


@pytest.mark.parametrize(
    "spoil, error_type",
    [
        pytest.param(lambda data: data[:-1] + bytes([data[-1] ^ 1]), "ArtifactMismatch", id="other bytes"),
        pytest.param(lambda data: b"", "ArtifactMismatch", id="no bytes"),
    ],
)
def test_an_artifact_that_is_not_the_pinned_one_is_never_executed(stage, tmp_path, spoil, error_type):
    diary = tmp_path / "diary"
    flow = stage.deploy(CHAIN)
    stage.ports.blobs.put(flow.artifact.key, spoil(stage.ports.blobs.get(flow.artifact.key)))
    newest = stage.ports.blobs.find_artifact(flow.artifact.bucket, flow.artifact.key, None)
    spoiled = replace(flow, artifact=replace(flow.artifact, version_id=newest.version_id))
    run_id = stage.submit(spoiled, {"diary": str(diary)})

    stage.until_quiet()

    assert (stage.run(run_id).status, stage.run(run_id).problem.error_type) == (Status.FAILED, error_type)
    assert not diary.exists()


def test_a_run_keeps_the_artifact_it_was_submitted_with(stage, tmp_path):
    diary = tmp_path / "diary"
    flow = stage.deploy(CHAIN)
    run_id = stage.submit(flow, {"diary": str(diary), "links": 2})
    stage.ports.blobs.put(flow.artifact.key, b"uploaded since")

    stage.until_quiet()

    assert stage.run(run_id).status is Status.SUCCEEDED


def test_an_artifact_that_is_gone_fails_the_run_with_the_remedy(stage):
    flow = stage.deploy(CHAIN)
    gone = replace(flow, artifact=replace(flow.artifact, key="flows/gone.zip"))
    run_id = stage.submit(gone, {"diary": "unused"})

    stage.until_quiet()

    assert stage.run(run_id).problem.error_type == "ArtifactGone"
    assert "Deploy again" in stage.run(run_id).problem.message


def test_a_store_that_does_not_answer_a_renewal_is_asked_again(stage, tmp_path):
    diary, asked = tmp_path / "diary", threading.Event()
    run_id = stage.submit(stage.deploy(CHAIN), {"diary": str(diary)})

    class Stubborn:
        def __getattr__(self, name: str) -> Any:
            return getattr(stage.ports.runs, name)

        def renew_lease(self, *args: Any, **kwargs: Any) -> Any:
            asked.set()
            raise Unavailable("no answer")

    ports = replace(stage.ports, runs=Stubborn())
    assert stage.advance(run_id, ports=ports, pacing=replace(BRISK, check_s=0.0)) == Finished(Status.SUCCEEDED)
    assert asked.is_set()


@pytest.mark.parametrize(
    "total_s, drain_s, kill_s",
    [(900, 60, 15), (300, 30, 7.5), (120, 20, 5), (30, 15, 3.75), (3, 1.5, 0.375)],
)
def test_margins_follow_from_the_functions_time(total_s, drain_s, kill_s):
    assert (drain_margin_s(total_s), kill_margin_s(total_s)) == (drain_s, kill_s)


def test_an_old_message_that_comes_again_goes_on_from_the_runs_own_hop(stage, tmp_path):
    """Its lines come after what a follower has read, and its timer is its own."""
    run_id = stage.submit(
        stage.deploy("""
            from dagy import flow, task

            @task(retries=3, retry_delay_seconds=600)
            def never() -> int:
                raise ConnectionError("no")

            @flow
            def waiting():
                return never()
        """)
    )
    names, logs = [], []
    for _ in range(3):  # each time the timer is lost, and AWS delivers the first message once more
        advanced = stage.advance(AdvanceRun(run_id, hop=0))
        keys = stage.ports.blobs.list_keys(f"runs/{run_id}/logs/")
        assert logs == keys[: len(logs)], "what is new comes last"
        names, logs = [*names, *stage.ports.timers.waiting], keys
        stage.ports.timers.waiting.clear()
        stage.clock.advance(700)
        stage.ports.runs.claim_run(run_id, owner="somebody/x", now=stage.clock.now(), lease_s=0, hop=advanced.hop)

    assert len({name for name in names if name.startswith("advance")}) == 3
    assert [key.split("/")[-1][:5] for key in logs] == ["0000-", "0001-", "0002-"]
    assert stage.run(run_id).hops == 4


def test_hop_numbers_go_on_from_the_message(stage, tmp_path):
    run_id = stage.submit(stage.deploy(CHAIN), {"diary": str(tmp_path / "diary"), "links": 1})

    stage.advance(AdvanceRun(run_id, hop=7))

    assert stage.run(run_id).hops == 8
