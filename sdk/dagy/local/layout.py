"""Which file of a local run is where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LocalPaths:
    """The files of local runs under one root. Ids must have been checked: they become path segments."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "dagy.duckdb"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def journals(self) -> Path:
        """One file for each run that is not in the database yet: going on, or ended without a word."""
        return self.root / "journals"

    def journal(self, run_id: str) -> Path:
        return self.journals / f"{run_id}.jsonl"

    def kept_journal(self, run_id: str) -> Path:
        """Where the journal goes when the run can be resumed."""
        return self.runs / run_id / "journal.jsonl"

    def run(self, run_id: str) -> Path:
        return self.runs / run_id

    def run_log(self, run_id: str) -> Path:
        return self.runs / run_id / "run.log"

    def task_run(self, run_id: str, task_run_id: str) -> Path:
        return self.runs / run_id / "task_runs" / task_run_id

    def task_log(self, run_id: str, task_run_id: str) -> Path:
        return self.task_run(run_id, task_run_id) / "task.log"

    def artifacts_of(self, run_id: str) -> Path:
        return self.artifacts / run_id
