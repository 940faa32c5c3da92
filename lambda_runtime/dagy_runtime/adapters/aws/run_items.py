"""Runs, task runs, leases, events and dead letters as items, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import asdict, replace

from dagy.core.sizes import Executor, Isolation, Size
from dagy.core.states import Status
from dagy_runtime.adapters.aws import schema
from dagy_runtime.adapters.aws.attributes import Item
from dagy_runtime.adapters.aws.packing import Packing
from dagy_runtime.plan import Exit, Place
from dagy_runtime.values import (
    ArtifactRef,
    DeadLetter,
    Event,
    Lease,
    PackageRef,
    Problem,
    ResultRef,
    Run,
    TaskRun,
    Trigger,
)


class RunItems:
    """The translation. It needs the bucket, for what is too large for an item."""

    def __init__(self, packing: Packing) -> None:
        self._packing = packing

    def of_run(self, run: Run) -> Item:
        return {
            "id": run.id,
            "flow_name": run.flow_name,
            "flow_version": run.flow_version,
            "artifact": asdict(run.artifact),
            "size": run.size,
            "isolation": run.isolation,
            "parameters": self._packing.packed(dict(run.parameters), owner=_owner(run.id)),
            "trigger": run.trigger,
            "created_at": run.created_at,
            "status": run.status,
            "deployment": run.deployment,
            "fail_fast": run.fail_fast,
            "max_workers": run.max_workers,
            "scheduled_at": run.scheduled_at,
            "requested_by": run.requested_by,
            "tags": dict(run.tags),
            "started_at": run.started_at,
            "ended_at": run.ended_at,
            "problem": self.of_problem(run.problem, run_id=run.id),
            "result": of_result(run.result),
            "hops": run.hops,
            "is_planned": run.is_planned or None,
            "max_concurrent_runs": run.max_concurrent_runs,
            "task_count": run.task_count or None,
            "retry_of": run.retry_of,
            "default_executor": run.default_executor,
            "packages": [asdict(one) | {"artifact": asdict(one.artifact)} for one in run.packages] or None,
            **schema.run_index(
                run.id,
                created_at=run.created_at,
                status=run.status,
                flow_name=run.flow_name,
                deployment=run.deployment,
            ),
        }

    def run(self, item: Item) -> Run:
        executor = item.get("default_executor")
        return Run(
            id=item["id"],
            flow_name=item["flow_name"],
            flow_version=item["flow_version"],
            artifact=artifact(item["artifact"]),
            size=Size(item["size"]),
            isolation=Isolation(item["isolation"]),
            parameters=self._packing.unpacked(item["parameters"]),
            trigger=Trigger(item["trigger"]),
            created_at=item["created_at"],
            status=Status(item["status"]),
            deployment=item.get("deployment"),
            fail_fast=item["fail_fast"],
            max_workers=item["max_workers"],
            scheduled_at=item.get("scheduled_at"),
            requested_by=item.get("requested_by"),
            tags=item["tags"],
            started_at=item.get("started_at"),
            ended_at=item.get("ended_at"),
            problem=self._problem(item),
            result=read_result(item),
            hops=item["hops"],
            is_planned=item.get("is_planned", False),
            max_concurrent_runs=item.get("max_concurrent_runs"),
            task_count=int(item.get("task_count", 0)),
            retry_of=item.get("retry_of"),
            default_executor=Executor(executor) if executor else None,
            packages=tuple(map(_package, item.get("packages", ()))),
        )

    def of_task_state(self, task: TaskRun) -> Item:
        """What changes about a task; the rest of it is in the run's task list."""
        return {
            "status": task.status,
            "attempt": task.attempt,
            "attempt_id": task.attempt_id,
            "started_at": task.started_at,
            "ended_at": task.ended_at,
            "duration_s": task.duration_s,
            "cpu_s": task.cpu_s,
            "peak_mib": task.peak_mib,
            "problem": self.of_problem(task.problem, run_id=task.run_id),
            "result": of_result(task.result),
            "lease_until": task.lease_until,
            "not_before": task.not_before,
            "flow_attempt": task.flow_attempt if task.flow_attempt > 1 else None,
        }

    def task(self, planned: TaskRun, state: Item | None) -> TaskRun:
        """The task as it stands: as planned while nothing was written about it since."""
        if state is None:
            return planned
        return replace(
            planned,
            status=Status(state["status"]),
            attempt=state.get("attempt", 0),
            attempt_id=state.get("attempt_id"),
            started_at=state.get("started_at"),
            ended_at=state.get("ended_at"),
            duration_s=_float(state.get("duration_s")),
            cpu_s=_float(state.get("cpu_s")),
            peak_mib=_float(state.get("peak_mib")),
            problem=self._problem(state),
            result=read_result(state),
            lease_until=_float(state.get("lease_until")),
            not_before=_float(state.get("not_before")),
            flow_attempt=int(state.get("flow_attempt", 1)),
        )

    def of_task_list(self, run_id: str, tasks: list[TaskRun]) -> Item:
        rows = [
            [
                task.id,
                task.task_name,
                task.position,
                list(task.depends_on),
                task.concurrency_limit,
                task.code,
                task.arguments,
                *_named(task.executor),
            ]
            for task in tasks
        ]
        return {"tasks": self._packing.packed(rows, owner=_owner(run_id))}

    def task_list(self, run_id: str, item: Item) -> list[TaskRun]:
        return [_planned_task(run_id, *row) for row in self._packing.unpacked(item["tasks"])]

    def of_places(self, run_id: str, places: Sequence[Place]) -> Item:
        rows = [
            [
                place.task.id,
                place.task.task_name,
                place.task.position,
                place.task.depends_on,
                [
                    [exit.id, exit.position, exit.member, exit.members, exit.others, *_named(exit.executor)]
                    for exit in place.exits
                ],
                place.end,
                place.task.concurrency_limit,
                *_named(place.task.executor),
            ]
            for place in places
        ]
        return {"places": self._packing.packed(rows, owner=_owner(run_id))}

    def places(self, run_id: str, item: Item) -> list[Place]:
        return [
            Place(
                _planned_task(run_id, id_, name, position, depends_on, limit, "", "", *executor),
                tuple(_exit(*exit) for exit in exits),
                tuple(end) if end else None,
            )
            for id_, name, position, depends_on, exits, end, limit, *executor in self._packing.unpacked(item["places"])
        ]

    def of_event(self, event: Event) -> Item:
        return {
            "run_id": event.run_id,
            "id": event.id,
            "at": event.at,
            "type": event.type,
            "task_run_id": event.task_run_id,
            "attempt": event.attempt,
            "data": self._packing.packed(dict(event.data), owner=_owner(event.run_id)) if event.data else None,
        }

    def event(self, item: Item) -> Event:
        return Event(
            run_id=item["run_id"],
            id=item["id"],
            at=item["at"],
            type=item["type"],
            task_run_id=item.get("task_run_id"),
            attempt=item.get("attempt"),
            data=self._packing.unpacked(item["data"]) if "data" in item else {},
        )

    def of_dead_letter(self, letter: DeadLetter) -> Item:
        return {
            "id": letter.id,
            "at": letter.at,
            "reason": letter.reason,
            "message": self._packing.packed(dict(letter.message), owner=f"dead-letters/{letter.id}"),
            "run_id": letter.run_id,
            "delivery_id": letter.delivery_id or None,
            "replayed_at": letter.replayed_at,
            "replayed_by": letter.replayed_by,
            "replayed_as": letter.replayed_as,
            **schema.dead_letter_index(letter.id, letter.at),
        }

    def dead_letter(self, item: Item) -> DeadLetter:
        return DeadLetter(
            id=item["id"],
            at=item["at"],
            reason=item["reason"],
            message=self._packing.unpacked(item["message"]),
            run_id=item.get("run_id"),
            delivery_id=item.get("delivery_id", ""),
            replayed_at=item.get("replayed_at"),
            replayed_by=item.get("replayed_by"),
            replayed_as=item.get("replayed_as"),
        )

    def of_problem(self, problem: Problem | None, *, run_id: str) -> Any:
        return None if problem is None else self._packing.packed(asdict(problem), owner=_owner(run_id))

    def _problem(self, item: Item) -> Problem | None:
        return Problem(**self._packing.unpacked(item["problem"])) if "problem" in item else None


def read_lease(run_id: str, item: Item) -> Lease:
    """Of an item that has an owner: without one, nobody holds the run."""
    return Lease(
        run_id,
        item["owner"],
        float(item["until"]),
        item.get("is_cancel_requested", False),
        int(item.get("flow_attempt", 1)),
    )


def artifact(data: Item) -> ArtifactRef:
    return ArtifactRef(data["bucket"], data["key"], data["sha256"], data.get("version_id"), data.get("size_bytes", 0))


def _planned_task(
    run_id: str,
    id_: str,
    name: str,
    position: int,
    depends_on: Sequence[str],
    limit: int | None = None,
    code: str = "",
    arguments: str = "",
    executor: str = Executor.LAMBDA,
) -> TaskRun:
    """Runs of an older Dagy have shorter rows."""
    parents = tuple(depends_on)
    return TaskRun(
        run_id, id_, name, Status.PENDING, position, parents, limit, code, arguments, executor=Executor(executor)
    )


def _exit(
    id_: str, position: int, member: int, members: int, others: Sequence[str], executor: str = Executor.LAMBDA
) -> Exit:
    return Exit(id_, position, member, members, tuple(others), Executor(executor))


def _named(executor: Executor) -> list[Executor]:
    """At the end of a row, and only where it is not what nearly all have."""
    return [] if executor is Executor.LAMBDA else [executor]


def _package(data: Item) -> PackageRef:
    return PackageRef(data["slug"], artifact(data["artifact"]), data["unpacked_bytes"])


def of_result(result: ResultRef | None) -> Item | None:
    return None if result is None else asdict(result)


def read_result(item: Item) -> ResultRef | None:
    data = item.get("result")
    if data is None:
        return None
    return ResultRef(data["codec"], data["size_bytes"], data["sha256"], data.get("inline"), data.get("key"))


def _owner(run_id: str) -> str:
    return f"runs/{run_id}"


def _float(number: Any) -> float | None:
    return None if number is None else float(number)
