"""Runs whose tasks are isolated: every task its own invocation, and no orchestrator while tasks run.

- A message says that a task is ready (`task.py`). Whoever takes it runs the task, stores how it ended, and releases
  what waited for it (`release.py`). The invocation is acknowledged last, so a crash repeats the release.
- The run as a whole is looked at (`overview.py`) when it begins, when its last task has ended, and by the
  reconciler once a minute: it is planned, ended, or what was lost is sent on its way again.

How tasks stand in the store is the truth. Joins only make it cheap to notice that the last parent is done; should an
arrival or a message be lost for good, the next look finds it from the tasks themselves.
"""
