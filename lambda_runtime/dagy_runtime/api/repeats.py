"""Requests with an idempotency key: whoever repeats one gets the first one's answer, and nothing is done twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from typing import Final

from dagy.core.errors import Conflict, Unavailable
from dagy_runtime.api.answers import Answer
from dagy_runtime.api.context import Context
from dagy_runtime.ports import Remembered, UnderWay

LEASE_S: Final = 60.0
"""Longer than a request can take: an API function is stopped after 29 s."""


class Repeats(Enum):
    """What a repeat of a request with the same idempotency key gets."""

    HARMLESS = auto()  # it is carried out again, and that changes nothing more
    HANDLED = auto()  # what the handler, which is given the key, makes of it
    ANSWERED = auto()  # the first one's answer, with status 200
    REFUSED = auto()  # a refusal: the answer holds a secret, so it is not kept


def once(ctx: Context, kind: Repeats, *, request: bytes, act: Callable[[], Answer]) -> Answer:
    """`act`'s answer, or that of the request with the same key, by the same caller, that came before.

    A request that was refused can be repeated with its key. One that was cut short is carried out again after a minute.

    Raises: Conflict when the key was used for another request, or the first one's answer was not kept; Unavailable
    while the first is under way.
    """
    if ctx.idempotency_key is None or kind not in (Repeats.ANSWERED, Repeats.REFUSED):
        return act()
    answers, owner = ctx.ports.answers, ctx.request_id
    key = f"{ctx.caller.kind}:{ctx.caller.id}:{ctx.idempotency_key}"
    before = answers.begin(
        key,
        request_hash=hashlib.sha256(request).hexdigest(),
        owner=owner,
        now=ctx.ports.clock.now(),
        lease_s=LEASE_S,
    )
    if isinstance(before, UnderWay):
        raise Unavailable("The request with this Idempotency-Key is still under way", "Ask again in a second.")
    if isinstance(before, Remembered):
        if before.body is None:
            raise Conflict(
                "The request with this Idempotency-Key was carried out; its answer is not kept", _NOT_KEPT[kind]
            )
        return Answer(200, before.body, {"Idempotency-Replayed": "true"})
    try:
        answer = act()
    except BaseException:
        with suppress(Unavailable):
            answers.give_up(key, owner=owner)
        raise
    with suppress(Unavailable):  # it is done; a repeat will be carried out again, after a minute
        answers.finish(key, owner=owner, status=answer.status, body=answer.body if kind is Repeats.ANSWERED else None)
    return answer


_NOT_KEPT: Final = {
    Repeats.REFUSED: "It held a secret, which nobody is told again. Take back what it made, then ask with another key.",
    Repeats.ANSWERED: "It was too large. Look at what it made.",
}
