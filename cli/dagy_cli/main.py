"""The entry point of `dagy`. It imports click only when there is something to parse: `dagy --version` is asked by
scripts and doctors, `dagy --help` by everybody, and click costs more than all the rest of it.
"""

from __future__ import annotations

import os
import sys

from dagy.version import VERSION

HELP: tuple[list[str], ...] = ([], ["--help"], ["-h"])


def main() -> None:
    """Run the command line in `sys.argv` and leave with its exit code."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        sys.stdout.write(f"dagy {VERSION}\n")
        return
    if arguments in HELP and "_DAGY_COMPLETE" not in os.environ and _has_80_columns():
        from dagy_cli.front_page import TEXT  # a lazy door: nobody else needs it

        sys.stdout.write(TEXT)
        return
    if "_DAGY_COMPLETE" in os.environ:  # a shell asks, because somebody pressed Tab
        from dagy_cli.completing import answer  # a lazy door: see above

        sys.exit(answer(os.environ["_DAGY_COMPLETE"]))
    from dagy_cli.root import run  # a lazy door: see above

    sys.exit(run(arguments))


def _has_80_columns() -> bool:
    """As `shutil` says, which costs 3 ms to import. What is no terminal counts as 80."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said) >= 80
    try:
        return os.get_terminal_size().columns >= 80
    except (OSError, ValueError, AttributeError):  # not a terminal; closed; none at all
        return True
