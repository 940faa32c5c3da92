"""The entry point of `dagy`. It imports click only when there is something to parse: `dagy --version` is asked by
scripts and doctors, and click costs more than all the rest of it.
"""

from __future__ import annotations

import os
import sys

from dagy.version import VERSION


def main() -> None:
    """Run the command line in `sys.argv` and leave with its exit code."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        sys.stdout.write(f"dagy {VERSION}\n")
        return
    if "_DAGY_COMPLETE" in os.environ:  # a shell asks, because somebody pressed Tab
        from dagy_cli.completing import answer  # a lazy door: see above

        sys.exit(answer(os.environ["_DAGY_COMPLETE"]))
    from dagy_cli.root import run  # a lazy door: see above

    sys.exit(run(arguments))
