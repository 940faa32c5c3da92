"""Where runs are: recorded on this machine, or in a stage. Both are shown with the field names of the API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from dagy.core.errors import APIError, InvalidInput, NotFound
from dagy.core.timestamps import to_iso
from dagy_cli.downloading import download
from dagy_cli.watching import Patience, follow_log

if TYPE_CHECKING:
    from dagy.client.http import DagyClient
    from dagy.client.models import LogLine

Row = Mapping[str, Any]
SHORTEST_PREFIX = 8
LARGEST_SHOWN_BYTES = 16 * 1024 * 1024
RECENT = 1000  # runs looked through for a prefix


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs a list shall show: at most so many, of one of the statuses, begun at `after` (seconds since the epoch)
    or later and before `before`. None, or nothing, is no condition.
    """

    most: int | None = None
    statuses: tuple[str, ...] = ()
    flow: str | None = None
    deployment: str | None = None
    after: float | None = None
    before: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A stored result. `json` None: its codec is not one that people can be shown, or it is too large to show."""

    codec: str
    size_bytes: int
    json: bytes | None
    data: Callable[[], bytes]


def bounds(after: float | None, before: float | None) -> tuple[str | None, str | None]:
    """From `after` on, as the API is asked for it: to the API, neither bound is included."""
    return to_iso(after - 0.001) if after is not None else None, to_iso(before) if before is not None else None


class Runs(Protocol):
    """Runs of one place. `is_remote` says whether others see them too."""

    is_remote: bool

    def list(self, wanted: Wanted) -> Iterable[Row]:
        """Newest first."""

    def find(self, run_id: str) -> str | None:
        """The full id of a run, from it or from a prefix of at least 8 characters.

        Raises: InvalidInput when several runs begin like that.
        """

    def latest(self) -> str | None: ...

    def show(self, run_id: str) -> Row:
        """The run, with its `tasks`."""

    def result(self, run_id: str, task_run_id: str | None) -> Result:
        """What the flow, or one task, returned. Raises: NotFound when there is none."""

    def events(self, run_id: str) -> Iterable[Row]:
        """What happened in the run, oldest first."""

    def log(self, run_id: str, task_run_id: str | None, *, is_followed: bool) -> Iterable[Row]:
        """The run's lines, `text` being how people read one; with `is_followed` until the run has ended."""


class RemoteRuns:
    """The runs of a stage."""

    is_remote = True

    def __init__(self, client: DagyClient) -> None:
        self.client = client

    def list(self, wanted: Wanted) -> Iterator[Row]:
        after, before = bounds(wanted.after, wanted.before)
        found = self.client.iter_runs(
            page=min(wanted.most or 100, 100), status=wanted.statuses, flow_name=wanted.flow,
            deployment=wanted.deployment, after=after, before=before,
        )  # fmt: skip
        return (row(run) for run in islice(found, wanted.most))

    def find(self, run_id: str) -> str | None:
        try:
            return self.client.get_run(run_id).run_id
        except APIError as error:
            if error.status_code not in (404, 422):
                raise
        if len(run_id) < SHORTEST_PREFIX:
            return None
        ids = [run.run_id for run in islice(self.client.iter_runs(), RECENT) if run.run_id.startswith(run_id)]
        return only_one(run_id, ids)

    def latest(self) -> str | None:
        return next((run.run_id for run in self.client.iter_runs(page=1)), None)

    def show(self, run_id: str) -> Row:
        run = row(self.client.get_run(run_id))
        return {**run, "tasks": [row(task) for task in self.client.iter_task_runs(run_id)]}

    def result(self, run_id: str, task_run_id: str | None) -> Result:
        found = self.client.get_result(run_id, task_run_id=task_run_id)
        if found.url is None:
            value = msgspec.json.encode(found.value)
            return Result(found.codec, found.size_bytes, value, lambda: value)
        url = found.url
        if found.size_bytes > LARGEST_SHOWN_BYTES:
            return Result(found.codec, found.size_bytes, None, lambda: download(url))
        shown = as_json(found.codec, lambda: download(url), found.sha256)
        return Result(found.codec, found.size_bytes, shown, lambda: download(url))

    def events(self, run_id: str) -> Iterator[Row]:
        return map(row, self.client.iter_events(run_id))

    def log(self, run_id: str, task_run_id: str | None, *, is_followed: bool) -> Iterator[Row]:
        for line in follow_log(self.client, run_id, task_run_id, is_followed=is_followed, patience=Patience()):
            yield {**row(line), "text": log_text(line)}


def as_json(codec: str, data: Callable[[], bytes], sha256: str) -> bytes | None:
    """The stored value as people are shown it; None when its codec is not for people, and nothing is fetched then."""
    from dagy.results import JSON, JSON_TAGGED, Encoded, readable  # a lazy door: the codecs

    return msgspec.json.encode(readable(Encoded(codec, data(), sha256))) if codec in (JSON, JSON_TAGGED) else None


def log_text(line: LogLine) -> str:
    """`12:00:01 extract-1 the line itself`."""
    return f"{line.at[11:19]} {line.task_run_id or '·'} {line.line}"


def row(answer: msgspec.Struct) -> dict[str, Any]:
    """An answer of the API as plain data, in the order of its fields."""
    plain: dict[str, Any] = msgspec.to_builtins(answer)
    return plain


def only_one(prefix: str, ids: list[str]) -> str | None:
    if len(ids) > 1:
        shown = ", ".join(ids[:3])
        raise InvalidInput(f"{len(ids)} runs begin with '{prefix}': {shown}, …", "Give more of the id.")
    return ids[0] if ids else None


def not_found(run_id: str) -> NotFound:
    return NotFound("run", run_id, "See: dagy runs list, dagy runs list --remote")
