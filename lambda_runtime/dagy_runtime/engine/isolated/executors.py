"""What carries a ready task out: the one place where its executor is looked at.

With `lambda` it is an asynchronous invocation, and a timer while it waits. With `step-functions` it is an execution of
the stage's task machine, which invokes the same function with the same message, and waits when the answer says so.
With `ecs` it is one of the container machine, which starts a container on Fargate with the message; and again a timer
while it waits, since a container is paid for.
"""

from __future__ import annotations

from collections.abc import Iterable

from dagy.core.errors import NotFound
from dagy.core.sizes import Executor, Isolation
from dagy_runtime.messages import RunTask
from dagy_runtime.ports import Ports
from dagy_runtime.values import Run, TaskRun
from dagy_runtime.worker.frames import PlannedTask


def executor_of(task: PlannedTask, run: Run) -> Executor:
    """The task's own, or its deployment's as it was when the run was made."""
    return task.executor or run.default_executor or Executor.LAMBDA


def misfit(tasks: Iterable[PlannedTask], run: Run, *, has_containers: bool) -> str | None:
    """Why these tasks cannot be carried out as they ask to be. A deploy says so first; a flow's body may differ."""
    for task in tasks:
        executor = executor_of(task, run)
        if executor is Executor.ECS and not has_containers:
            return (
                f"Task run '{task.id}' wants executor '{executor}', but the stage has no containers. Give it some: "
                "dagy infra deploy --set fargate=true"
            )
        if executor is not Executor.LAMBDA and run.isolation is not Isolation.TASK_ISOLATED:
            return (
                f"Task run '{task.id}' wants executor '{executor}', an execution of its own, but this run is "
                f"'{run.isolation}': all its tasks share one process. Run it with isolation "
                f"'{Isolation.TASK_ISOLATED}'."
            )
    return None


def start_task(ports: Ports, run: Run, message: RunTask, executor: Executor) -> None:
    """A repeat starts another, which finds the task taken, or done: names of executions are not what keeps them apart,
    or one that hangs could not be replaced.
    """
    name = f"{run.id}-{message.task_run_id}-{ports.ids.unique()[-8:].lower()}"
    match executor:
        case Executor.LAMBDA:
            ports.dispatcher.to_runtime(run.size, message)
        case Executor.STEP_FUNCTIONS:
            ports.executions.start(run.size, message, name=name)
        case Executor.ECS:
            if ports.containers is None:
                raise NotFound("container state machine", "this function was told of none")
            ports.containers.start(run.size, message, name=name)


def wake_later(ports: Ports, task: TaskRun) -> float | None:
    """Have a message come when the task may start: by a timer, or else by the execution that is told this time. A
    repeat sets the same timer.
    """
    if task.not_before is None or task.executor is Executor.STEP_FUNCTIONS:
        return task.not_before
    run = ports.runs.get_run(task.run_id)
    if run is not None:
        name = f"task-{task.run_id}-{task.id}-{task.flow_attempt}-{task.attempt}"
        message = RunTask(task.run_id, task.id, task.position)
        ports.timers.to_runtime_at(run.size, message, at=task.not_before, name=name)
    return None
