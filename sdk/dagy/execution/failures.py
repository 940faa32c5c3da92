"""Exceptions as users should see them: without the frames that are Dagy's own business."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from types import TracebackType
from typing import Final

from dagy.execution.recorder import Failure

_OURS: Final = (
    str(Path(__file__).parent.parent) + os.sep,
    str(Path(os.__file__).parent / "asyncio") + os.sep,  # between us and an `async def` task
)


def failure_of(error: BaseException) -> Failure:
    """Also takes our frames off the exception itself, from the outside in, as far as the author's first."""
    clean_traceback(error)
    return Failure(
        error_type=type(error).__qualname__,
        message=message_of(error),
        traceback="".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip("\n"),
    )


def message_of(error: BaseException) -> str:
    """What the exception says. One that says nothing by itself comes with its name: a KeyError, which says only the
    key, the `0` of `sys.exit(0)`, anything without a letter.
    """
    try:
        text = str(error)
    except Exception:  # the author's own __str__
        text = ""
    name = type(error).__qualname__
    if not text:
        return name
    is_telling = any(map(str.isalpha, text)) and not isinstance(error, (KeyError, SystemExit))
    return text if is_telling else f"{name}: {text}"


def clean_traceback(error: BaseException) -> None:
    """Repeats change nothing. The exceptions behind this one (its causes and contexts) are cleaned too."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        current.__traceback__ = _from_first_foreign_frame(current.__traceback__)
        current = current.__cause__ or current.__context__


def _from_first_foreign_frame(entry: TracebackType | None) -> TracebackType | None:
    while entry is not None and entry.tb_frame.f_code.co_filename.startswith(_OURS):
        entry = entry.tb_next
    return entry
