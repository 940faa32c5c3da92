"""`dagy runs retry` and `bulk`: runs started from other runs, and many at once."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from dagy.core.errors import APIError, InvalidInput, NotFound
from dagy_cli import completing
from dagy_cli.locating import locate_remote, remote_run_options
from dagy_cli.params import pairs
from dagy_cli.remote_run import Waiting, tell
from dagy_cli.retrying import reasons_to_run, told
from dagy_cli.run_sources import Row
from dagy_cli.session import Session, pass_session
from dagy_cli.settings import Command

if TYPE_CHECKING:
    from dagy.client.models import RunResponse

COLUMNS: Final = ["run_id", "deployment", "parameters"]
AT_ONCE: Final = 100  # the API starts no more with one request


@click.command("retry", cls=Command)
@remote_run_options
@click.option("--param", "params", multiple=True, metavar="KEY=VALUE", help="Another value for it. Repeatable.")
@click.option("--from-failed", is_flag=True, help="Keep the results of tasks whose code and arguments are unchanged.")
@click.option("--fresh", is_flag=True, help="Keep nothing.  [default]")
@click.option("--watch", is_flag=True, help="Show tasks and log lines until the new run has ended.")
@click.option("--wait", is_flag=True, help="Wait until the new run has ended.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(0), metavar="SECONDS", help="Wait no longer.")
@pass_session
def retry(
    session: Session,
    run_id: str | None,
    last: bool,
    place: str | None,
    params: tuple[str, ...],
    from_failed: bool,
    fresh: bool,
    watch: bool,
    wait: bool,
    timeout_s: float | None,
) -> None:
    """Start a run again: a new run of the same deployment, with the same parameters.

    It uses the code and the settings that the deployment has now; a run of a flow without a deployment, its flow
    version as it is registered now. The old run is not changed. With --from-failed the new one does not repeat what
    the old one has done: it says beforehand which tasks run, and why. A run of this machine is finished with
    `dagy run --resume`.

    \b
    Examples:
      dagy runs retry --last
      dagy runs retry --last --from-failed --watch
      dagy runs retry daily_etl-20260304T120000Z-a1b2c3 --param date=2026-03-05 --watch
    """
    if from_failed and fresh:
        raise click.UsageError("--fresh contradicts --from-failed.")
    texts = pairs("param", params)
    located = locate_remote(session, run_id, last=last, place=place, instead="finish it: dagy run --resume")
    old = session.client.get_run(located.run_id)
    parameters = old.parameters
    if texts:
        from dagy.parameters import coerce_text  # a lazy door: it compiles schemas

        flow = session.client.get_flow(old.flow_name, old.flow_version)
        parameters = {**parameters, **coerce_text(flow.parameters, texts)}
    what = {"deployment": old.deployment} if old.deployment else {
        "flow_name": old.flow_name, "flow_version": old.flow_version, "tags": old.tags}  # fmt: skip
    request = {**what, "parameters": parameters}
    if from_failed:
        request["retry_of"] = old.run_id
        say_what_is_kept(session, old, has_other_parameters=parameters != old.parameters)
    started = session.client.trigger_run(request)
    waiting = Waiting(is_watched=watch, is_waited_for=wait or timeout_s is not None, timeout_s=timeout_s)
    tell(session, started, waiting)


def say_what_is_kept(session: Session, old: RunResponse, *, has_other_parameters: bool = False) -> None:
    """Which tasks a new run keeps of this one, and which run again, and why."""
    if old.status not in ("FAILED", "CANCELLED"):  # the stage refuses it, and says why
        return
    client, out = session.client, session.out
    for line in told(reasons_to_run(client.iter_task_runs(old.run_id))):
        out.remark(f"  {line}")
    if old.deployment and client.get_deployment(old.deployment).artifact_sha256 != old.artifact_sha256:
        out.remark("  The deployment has other code than the run had: tasks whose code or arguments changed run, too.")
    elif has_other_parameters:
        out.remark("  The parameters are others: tasks whose arguments changed run, too.")


@dataclass(frozen=True, slots=True)
class Input:
    """The parameters of one run, and where they were given."""

    where: str
    parameters: dict[str, Any]


@click.command("bulk", cls=Command)
@click.argument("deployment", shell_complete=completing.deployments)
@click.argument("inputs", nargs=-1, metavar="[JSON]...")
@click.option("--from-file", metavar="FILE", help="A file of JSON objects, one a line; - is standard input.",
              shell_complete=completing.files)  # fmt: skip
@click.option("--idempotency-key", metavar="KEY", help="A repeat with the same key and inputs starts nothing twice.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Say what would be started and do nothing.")
@pass_session
def bulk(
    session: Session,
    deployment: str,
    inputs: tuple[str, ...],
    from_file: str | None,
    idempotency_key: str | None,
    is_dry_run: bool,
) -> None:
    """Start many runs of a deployment, one for each JSON object of parameters.

    All inputs are read before the first run starts, so a line that is no JSON object starts nothing. They are sent by
    the hundred: one that the flow would refuse starts none of its hundred. It waits for none of the runs. When
    something fails on the way, the runs named until then have started, and of the hundred after them some may have;
    with --idempotency-key a repeat starts only the rest.

    \b
    Examples:
      dagy runs bulk my-etl '{"date": "2026-03-04"}' '{"date": "2026-03-05"}'
      dagy runs bulk my-etl --from-file inputs.jsonl --idempotency-key backfill-march --json
    """
    wanted = [_parsed(f"input {number}", text) for number, text in enumerate(inputs, 1)]
    wanted += _lines(from_file) if from_file is not None else ()
    if not wanted:
        raise click.UsageError("Give the parameters of each run: as JSON objects, or with --from-file.")
    if is_dry_run:
        session.client.get_deployment(deployment)
        rows = [{"deployment": deployment, "parameters": each.parameters, "dry_run": True} for each in wanted]
        _tell(session, f"Would start {_runs(len(rows))} of {deployment}", rows, "parameters")
        return
    done: list[Row] = []
    try:
        for start in range(0, len(wanted), AT_ONCE):
            key = idempotency_key and f"{idempotency_key}-{start}"
            done += _started(session, deployment, wanted[start : start + AT_ONCE], key)
    finally:
        _tell(session, f"Started {_runs(len(done))}", done, "run_id")


def _started(session: Session, deployment: str, inputs: Sequence[Input], idempotency_key: str | None) -> Iterator[Row]:
    items = [{"parameters": each.parameters} for each in inputs]
    try:
        started = session.client.start_runs({"deployment": deployment, "items": items}, idempotency_key=idempotency_key)
    except APIError as error:
        if refused := re.match(r"Item (\d+): ", error.message):
            error.hint = f"It was {inputs[int(refused[1])].where}. {error.hint or ''}".strip()
        raise
    for run_id, each in zip(started.run_ids, inputs, strict=True):
        yield {"run_id": run_id, "deployment": deployment, "parameters": each.parameters}


def _lines(name: str) -> Iterator[Input]:
    """Raises: NotFound; InvalidInput, naming the line."""
    try:
        with nullcontext(sys.stdin) if name == "-" else Path(name).open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _parsed(f"line {number} of {name}", line)
    except FileNotFoundError:
        raise NotFound("file", name) from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is not UTF-8 text", "It holds one JSON object a line.") from error


def _parsed(where: str, text: str) -> Input:
    try:
        return Input(where, msgspec.json.decode(text, type=dict[str, Any]))
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(f"{where} is no JSON object: {error}", 'For example {"date": "2026-03-04"}') from error


def _tell(session: Session, text: str, rows: Sequence[Row], named_by: str) -> None:
    if not session.settings.is_machine_read:
        session.out.answer(text)
    session.out.items(rows, COLUMNS, text=lambda run: f"  {run[named_by]}")


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"
