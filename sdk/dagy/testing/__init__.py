"""Testing flows: in memory, in no time, with failures where they are wanted.

    from dagy.testing import fail_task, run_in_memory

    def test_a_flaky_source_is_asked_again():
        run = run_in_memory(etl, "s3://orders/", given=[fail_task("extract", times=2)])
        run.assert_succeeded()
        assert run.task("extract-1").delays_s == (1.0, 5.0)

The runner is the one that runs flows everywhere else; only where it writes to and its clock are others. It needs no
pytest, and goes well with it. docs/testing.md has the examples.
"""

from dagy.execution.recorder import Failure
from dagy.testing.changes import Change, ForcedFailure, fail_task, slow_task, with_body, with_result
from dagy.testing.clock import FakeClock
from dagy.testing.outcome import LogLine, TestRun, TestTaskRun
from dagy.testing.run import run_in_memory

__all__ = [
    "run_in_memory",
    # what is given
    "fail_task",
    "slow_task",
    "with_result",
    "with_body",
    "Change",
    "ForcedFailure",
    "FakeClock",
    # what came of it
    "TestRun",
    "TestTaskRun",
    "Failure",
    "LogLine",
]
