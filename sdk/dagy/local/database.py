# ruff: noqa: S608 - the only text put into statements is this module's own
"""`dagy.duckdb`: the runs that came to an end, with their tasks. Opened, used and closed within milliseconds,
because DuckDB lets one process have the file open at a time, readers included.

The file is written in DuckDB's format of version 1.0, so that every DuckDB since can open it. Times are UTC
without a zone: reading a zoned column needs pytz.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dagy.local.filtering import RunFilter
from dagy.local.history import LocalRun, LocalTaskRun, RunHistory
from dagy.local.tables import RUN_COLUMNS, TASK_COLUMNS, run_columns, run_of, task_columns, task_of

if TYPE_CHECKING:
    import duckdb


class Database:
    """An open one. Each method is one statement or one transaction."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def save(self, histories: Sequence[RunHistory]) -> None:
        """All or none. Saving a run again replaces what was kept of it."""
        if not histories:
            return
        ids = [history.run.id for history in histories]
        with self._transaction():
            self._delete(ids)
            self._insert("runs", RUN_COLUMNS, run_columns([history.run for history in histories]))
            tasks = [task for history in histories for task in history.task_runs]
            if tasks:
                self._insert("task_runs", TASK_COLUMNS, task_columns(tasks))

    def delete(self, run_ids: Sequence[str]) -> None:
        with self._transaction():
            self._delete(run_ids)

    def runs(self, wanted: RunFilter, *, limit: int | None) -> list[LocalRun]:
        """Newest first."""
        rows = self._query(
            f"SELECT {_selected(RUN_COLUMNS)} FROM runs "
            "WHERE (len($statuses::TEXT[]) = 0 OR list_contains($statuses::TEXT[], status)) "
            "AND ($flow = '' OR flow_name = $flow) AND ($version = '' OR flow_version = $version) "
            "AND ($after = '' OR started_at >= TRY_CAST($after AS TIMESTAMP)) "
            "AND ($before = '' OR started_at < TRY_CAST($before AS TIMESTAMP)) "
            "ORDER BY started_at DESC, id DESC LIMIT $limit",
            {
                "statuses": [status.value for status in wanted.statuses],
                "flow": wanted.flow_name,
                "version": wanted.flow_version,
                "after": wanted.after.removesuffix("Z"),
                "before": wanted.before.removesuffix("Z"),
                "limit": limit or 2**62,
            },
        )
        return [run_of(row) for row in rows]

    def run(self, run_id: str) -> LocalRun | None:
        rows = self._query(f"SELECT {_selected(RUN_COLUMNS)} FROM runs WHERE id = $id", {"id": run_id})
        return run_of(rows[0]) if rows else None

    def ids_starting_with(self, prefix: str, *, limit: int) -> list[str]:
        rows = self._query(
            "SELECT id FROM runs WHERE starts_with(id, $prefix) ORDER BY id LIMIT $limit",
            {"prefix": prefix, "limit": limit},
        )
        return [row["id"] for row in rows]

    def ids_beyond(self, newest: int) -> list[str]:
        rows = self._query("SELECT id FROM runs ORDER BY started_at DESC, id DESC OFFSET $newest", {"newest": newest})
        return [row["id"] for row in rows]

    def task_runs(self, run_id: str) -> list[LocalTaskRun]:
        """In the flow's order."""
        rows = self._query(
            f"SELECT {_selected(TASK_COLUMNS)} FROM task_runs WHERE run_id = $id ORDER BY position", {"id": run_id}
        )
        return [task_of(row) for row in rows]

    def _delete(self, run_ids: Sequence[str]) -> None:
        for table, column in (("runs", "id"), ("task_runs", "run_id")):
            self._connection.execute(
                f"DELETE FROM {table} WHERE {column} IN (SELECT unnest($ids))", {"ids": list(run_ids)}
            )

    def _insert(self, table: str, columns: dict[str, str], values: dict[str, list[Any]]) -> None:
        """Column by column, and one value for a column that has but one: a statement per row would take 50 times as
        long.
        """
        selected, parameters = [], {}
        for name, kind in columns.items():
            column = values[name]
            is_same = len(column) > 1 and column.count(column[0]) == len(column)
            parameters[name] = column[0] if is_same else column
            selected.append(_inserted(name, kind, is_list=not is_same))
        # Without a list, one row would come out; two equal rows cannot be, they differ in their ids.
        self._connection.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(selected)}", parameters)

    def _query(self, statement: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        cursor = self._connection.execute(statement, parameters)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    for table, columns in (("runs", RUN_COLUMNS), ("task_runs", TASK_COLUMNS)):
        columns_sql = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns_sql})")


def _inserted(name: str, kind: str, *, is_list: bool) -> str:
    taken = "TEXT" if kind == "TIMESTAMP" else kind
    value = f"unnest(${name}::{taken}[])" if is_list else f"${name}::{taken}"
    return f"{value}::{kind}" if taken != kind else value


def _selected(columns: dict[str, str]) -> str:
    return ", ".join(
        f"strftime({name}, '%Y-%m-%dT%H:%M:%S.%gZ') AS {name}" if kind == "TIMESTAMP" else name
        for name, kind in columns.items()
    )
