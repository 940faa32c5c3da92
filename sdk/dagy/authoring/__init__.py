"""How flows are written: `@task`, `@flow`, hooks, and the tracing that turns a flow function into a plan.

`settings` checks what decorators are given, `calls` binds and converts arguments, `tracing` notes which tasks a
flow's body calls, `source` says where a function was written. `tasks` and `flows` hold the two decorators.
"""

from dagy.authoring.flows import Flow, TracedFlow, flow
from dagy.authoring.hooks import Hook, HookFunction, RunContext
from dagy.authoring.tasks import AsyncTask, Task, task
from dagy.authoring.tracing import TaskCall

__all__ = ["AsyncTask", "Flow", "Hook", "HookFunction", "RunContext", "Task", "TaskCall", "TracedFlow", "flow", "task"]
