"""DynamoDB and memory, given the same calls in any order, give the same answers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from dagy.core.errors import DagyError
from dagy.core.states import Status
from dagy_runtime.adapters import memory
from dagy_runtime.ports import RunFilter, TaskOutcome
from dagy_runtime.values import Problem

NOW = 1_772_625_600.0
RUNS = st.sampled_from(["one", "two"])
TASKS = st.sampled_from(["extract-1", "extract-2", "extract-3"])
OWNERS = st.sampled_from(["a", "b"])
ATTEMPTS = st.integers(1, 3)
ENDS = st.sampled_from([Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
OUTCOMES = st.sampled_from([Status.SUCCEEDED, Status.FAILED, Status.PENDING, Status.CANCELLED, Status.SKIPPED])


@pytest.fixture
def machine(world_factory, make) -> type[RuleBasedStateMachine]:
    class SameAnswers(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.expected, self.actual = memory.world().runs, world_factory().runs
            self.seconds = 0.0

        def same(self, method: str, *args: Any, **kwargs: Any) -> None:
            answers = []
            for store in (self.expected, self.actual):
                try:
                    answers.append(getattr(store, method)(*args, **kwargs))
                except DagyError as error:
                    answers.append((type(error), str(error)))
            assert answers[1] == answers[0], (method, args, kwargs)

        @rule(seconds=st.sampled_from([1.0, 29.5, 30.0]))
        def time_passes(self, seconds):
            self.seconds += seconds

        @rule(run_id=RUNS, key=st.sampled_from([None, "k"]), parameters=st.sampled_from([{}, {"n": 1.0}]))
        def create(self, run_id, key, parameters):
            run = make.run(run_id, seconds=self.seconds, parameters=parameters)
            self.same("create_run", run, idempotency_key=key)

        @rule(run_id=RUNS, owner=OWNERS, hop=st.integers(0, 3))
        def claim(self, run_id, owner, hop):
            self.same("claim_run", run_id, owner=owner, now=NOW + self.seconds, lease_s=30.0, hop=hop)

        @rule(run_id=RUNS, owner=OWNERS)
        def renew(self, run_id, owner):
            self.same("renew_lease", run_id, owner=owner, now=NOW + self.seconds, lease_s=30.0)

        @rule(run_id=RUNS, owner=OWNERS, flow_attempt=st.sampled_from([None, 2, 3]))
        def release(self, run_id, owner, flow_attempt):
            self.same("release_lease", run_id, owner=owner, flow_attempt=flow_attempt)

        @rule(run_id=RUNS, owner=st.one_of(st.none(), OWNERS), status=ENDS)
        def finish(self, run_id, owner, status):
            problem = Problem("E", "no") if status is Status.FAILED else None
            at = make.at(self.seconds)
            self.same("finish_run", run_id, owner=owner, status=status, ended_at=at, problem=problem)

        @rule(run_id=RUNS)
        def cancel(self, run_id):
            self.same("request_cancel", run_id)

        @rule(run_id=RUNS, positions=st.sets(st.integers(0, 2), min_size=1))
        def put_tasks(self, run_id, positions):
            if self.expected.get_run(run_id):
                self.same("put_tasks", run_id, [make.task(run_id, position) for position in sorted(positions)])

        @rule(run_id=RUNS, task=TASKS, attempt=ATTEMPTS, owner=OWNERS)
        def start(self, run_id, task, attempt, owner):
            attempt_id, at = f"{owner}{attempt}", make.at(self.seconds)
            self.same("start_task", run_id, task, attempt=attempt, attempt_id=attempt_id, started_at=at)

        @rule(run_id=RUNS, task=TASKS, attempt=ATTEMPTS, owner=OWNERS, status=OUTCOMES)
        def finish_task(self, run_id, task, attempt, owner, status):
            if self.expected.get_task(run_id, task):
                outcome = TaskOutcome(status, attempt, make.at(self.seconds), duration_s=0.5)
                self.same("finish_task", run_id, task, attempt_id=f"{owner}{attempt}", outcome=outcome)

        @rule(run_id=RUNS, task=TASKS, attempt=ATTEMPTS, owner=OWNERS, flow_attempt=st.integers(1, 2))
        def claim_task(self, run_id, task, attempt, owner, flow_attempt):
            if self.expected.get_run(run_id):
                given = {"attempt": attempt, "attempt_id": f"{owner}{attempt}", "flow_attempt": flow_attempt}
                now, at = NOW + self.seconds, make.at(self.seconds)
                self.same("claim_task", run_id, task, **given, started_at=at, now=now, lease_s=30.0)

        @rule(run_id=RUNS, task=TASKS, attempt=ATTEMPTS, owner=OWNERS)
        def renew_task(self, run_id, task, attempt, owner):
            if self.expected.get_run(run_id):
                given = {"attempt_id": f"{owner}{attempt}", "now": NOW + self.seconds, "lease_s": 30.0}
                self.same("renew_task", run_id, task, **given)

        @rule(run_id=RUNS, task=TASKS, attempt=ATTEMPTS, owner=OWNERS, wait_s=st.sampled_from([1.0, 29.5]))
        def put_back(self, run_id, task, attempt, owner, wait_s):
            if self.expected.get_task(run_id, task):
                again_at = NOW + self.seconds + wait_s
                outcome = TaskOutcome(Status.PENDING, attempt, make.at(self.seconds), not_before=again_at)
                self.same("finish_task", run_id, task, attempt_id=f"{owner}{attempt}", outcome=outcome)

        @rule(run_id=RUNS, node=st.sampled_from(["sum-1#0.0", "$end#0.0"]), member=st.integers(0, 2))
        def arrive(self, run_id, node, member):
            if self.expected.get_run(run_id):
                self.same("arrive", run_id, node, member)

        @rule(run_id=RUNS, tasks=st.lists(TASKS), status=st.sampled_from([Status.SKIPPED, Status.CANCELLED]))
        def settle(self, run_id, tasks, status):
            if self.expected.get_run(run_id):
                self.same("settle_tasks", run_id, tasks, status=status, reason="r", ended_at=make.at(self.seconds))

        def teardown(self):
            for run_id in ("one", "two"):
                self.same("get_run", run_id)
                self.same("get_lease", run_id)
                self.same("list_tasks", run_id, limit=10)
            self.same("list_runs", limit=10)
            self.same("list_runs", limit=1, where=RunFilter(statuses=(Status.RUNNING, Status.PENDING)))

    return SameAnswers


@pytest.mark.parametrize("world_factory", ["moto"], indirect=True)
def test_any_sequence_of_calls_has_the_same_answers_as_in_memory(machine):
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # add Phase.shrink to look for a shorter history: it takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
