"""The one renderer: facts go to stdout in the format asked for, remarks go to stderr.

Field names are the API's in every format. `table` is for people and may be laid out; the others are contracts.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from dagy_cli.settings import Format, Settings

Row = Mapping[str, Any]
DEFAULT_TABLE_FORMAT = "heavy_grid"
DRY_RUN_REMARK = "Nothing was done: this was a dry run."


class OutputLost(click.ClickException):
    """The answer was found, but stdout does not take it: a full disk, a device that is gone."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"Cannot write the output: {error.strerror or type(error).__name__}")


class Output:
    """Writes what one command has to say. `table_format` is asked for only when a table is drawn."""

    def __init__(self, settings: Settings, *, table_format: Callable[[], str] = lambda: DEFAULT_TABLE_FORMAT) -> None:
        self.settings = settings
        self._table_format = table_format

    def items(self, rows: Iterable[Row], columns: Sequence[str], *, text: Callable[[Row], str] | None = None) -> None:
        """A list. `columns` are what a table or CSV shows; JSON and YAML give every field. `text` replaces the
        table by one line per row.
        """
        line = _json if self.settings.format is Format.JSONL else text if self.settings.format is Format.TABLE else None
        if line is not None:  # as they come
            for row in rows:
                _echo(line(row))
            return
        listed = list(rows)
        if self.settings.format is Format.JSON:
            _echo(_json(listed, indent=2))
        elif self.settings.format is Format.YAML:
            _echo(_yaml(listed), nl=False)
        elif self.settings.format is Format.CSV:
            _echo(_csv(listed, columns), nl=False)
        else:
            _echo(self.table(listed, columns))

    def item(self, row: Row, *, text: str | None = None) -> None:
        """One fact. For people it is `text`, or its fields, one a line."""
        if self.settings.format is Format.JSON:
            _echo(_json(row, indent=2))
        elif self.settings.format is Format.JSONL:
            _echo(_json(row))
        elif self.settings.format is Format.YAML:
            _echo(_yaml(row), nl=False)
        elif self.settings.format is Format.CSV:
            _echo(_csv([row], list(row)), nl=False)
        elif text is not None:
            _echo(text)
        else:
            width = max((len(key) for key in row), default=0)
            for key, value in row.items():
                _echo(f"{key:<{width}}  {cell_text(value)}")

    def value(self, value: Any) -> None:
        """A value that has a form of its own, such as what a flow returned: as JSON for people too."""
        if self.settings.format in (Format.TABLE, Format.JSON):
            _echo(_json(value, indent=2))
        elif self.settings.format is Format.CSV and isinstance(value, list) and value and _are_rows(value):
            _echo(_csv(value, list(value[0])), nl=False)
        elif self.settings.format is Format.CSV:
            _echo(_csv([{"value": value}], ["value"]), nl=False)
        elif self.settings.format is Format.YAML:
            _echo(_yaml(value), nl=False)
        else:
            _echo(_json(value))

    def dry_run(self, row: Row, text: str) -> None:
        """What would have been done, and to what."""
        self.item({**row, "dry_run": True}, text=text)
        self.remark(DRY_RUN_REMARK)

    def table(self, rows: Sequence[Row], columns: Sequence[str]) -> str:
        """A table as text, for answers that hold more than it."""
        from dagy_cli.tables import table  # a lazy door

        return table(rows, columns, self._table_format())

    def answer(self, text: str) -> None:
        """A line of the answer itself, whatever the format: a log line, a path."""
        _echo(text)

    def remark(self, text: str) -> None:
        """Something said along the way; `--quiet` silences it."""
        if not self.settings.is_quiet:
            click.echo(text, err=True)

    def next(self, *commands: str) -> None:
        """What one may want to type now; programs are not told."""
        if not self.settings.is_machine_read:
            self.remark(f"\n  Next:  {'      '.join(commands)}")

    def detail(self, text: str) -> None:
        """A remark only `--verbose` wants."""
        if self.settings.is_verbose:
            click.echo(text, err=True)

    def warning(self, text: str) -> None:
        """Something the user should know even with `--quiet`."""
        click.echo(f"{click.style('Warning:', fg='yellow')} {text}", err=True)


def _echo(text: str, *, nl: bool = True) -> None:
    """Raises: OutputLost; BrokenPipeError when the reader has had enough."""
    try:
        click.echo(text, nl=nl)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputLost(error) from error


def _are_rows(value: list[Any]) -> bool:
    return all(isinstance(row, dict) and row.keys() == value[0].keys() for row in value)


def _json(value: Any, *, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, default=str)


def _yaml(value: Any) -> str:
    import yaml  # a lazy door: most commands draw tables or nothing

    plain = json.loads(_json(value))  # what YAML shows is what JSON shows
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, default_flow_style=False))


def _csv(rows: Sequence[Row], columns: Sequence[str]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_defused(row.get(column)) for column in columns] for row in rows)
    return buffer.getvalue()


def _defused(value: Any) -> Any:
    """A cell that no spreadsheet executes: text that starts like a formula gets an apostrophe in front.

    Source: OWASP, "CSV Injection". Numbers stay numbers.
    """
    if isinstance(value, (bool, int, float)):
        return value
    text = cell_text(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def cell_text(value: Any) -> str:
    """In tables and CSV. Nothing for None, text as it is, JSON for the rest."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value)
