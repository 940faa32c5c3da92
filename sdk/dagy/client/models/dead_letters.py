"""Messages that AWS gave up on."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from dagy.client.models.base import Response


class DeadLetterModel(Response):
    """A message that AWS gave up on. In lists without the message itself."""

    id: str
    at: str
    kind: Optional[str]  # of message; null when this stage knows none of that name
    reason: str
    run_id: Optional[str]  # whom it was for
    deployment: Optional[str]  # of a message that was to start a run
    replayed_at: Optional[str]
    replayed_by: Optional[str]
    replayed_as: Optional[str]  # the run that came of it


class DeadLetterResponse(DeadLetterModel):
    message: Dict[str, Any]


class DeadLetterListResponse(Response):
    """A page may be short, or empty, with a cursor: then what was looked at did not match."""

    items: List[DeadLetterModel]
    next_cursor: Optional[str] = None
