"""Running flows on this machine, and what is kept of it.

A run writes a journal while it goes on; at its end, or when somebody next looks, the journal becomes rows in
`dagy.duckdb` and `metadata.json` files, and goes. docs/design/local-records.md says what is durable when.

Names are loaded when first used: whoever only asks where the local state is, as every command does, need not wait for
the runner.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dagy.local.history import LocalRun, LocalTaskRun, StoredResult
    from dagy.local.paths import local_dir
    from dagy.local.recording import LocalRunContext
    from dagy.local.records import LocalRecords
    from dagy.local.resume import find_resumable, resume_local
    from dagy.local.run import run_local

_HOMES: Final = {
    "LocalRecords": "records",
    "LocalRun": "history",
    "LocalRunContext": "recording",
    "LocalTaskRun": "history",
    "StoredResult": "history",
    "find_resumable": "resume",
    "local_dir": "paths",
    "resume_local": "resume",
    "run_local": "run",
}

__all__ = [
    "LocalRecords",
    "LocalRun",
    "LocalRunContext",
    "LocalTaskRun",
    "StoredResult",
    "find_resumable",
    "local_dir",
    "resume_local",
    "run_local",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dagy.local' has no attribute '{name}'")
    value = globals()[name] = getattr(importlib.import_module(f"dagy.local.{_HOMES[name]}"), name)
    return value
