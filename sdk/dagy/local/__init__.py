"""Running flows on this machine, and what is kept of it.

A run writes a journal while it goes on; at its end, or when somebody next looks, the journal becomes rows in
`dagy.duckdb` and `metadata.json` files, and goes. docs/design/local-records.md says what is durable when.
"""

from dagy.local.history import LocalRun, LocalTaskRun, StoredResult
from dagy.local.paths import local_dir
from dagy.local.records import LocalRecords
from dagy.local.run import LocalRunContext, run_local

__all__ = ["LocalRecords", "LocalRun", "LocalRunContext", "LocalTaskRun", "StoredResult", "local_dir", "run_local"]
