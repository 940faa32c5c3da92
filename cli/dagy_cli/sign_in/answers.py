"""What arrives at the callback, decided without a socket: a token, a code, a refusal, or nothing of ours."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Final, Union
from urllib.parse import parse_qsl

MAX_TOKEN: Final = 16_384
MISMATCH: Final = "State mismatch – possible CSRF attack."
_MAX_REASON: Final = 300
_NAMES: Final = frozenset(
    {"state", "token", "email", "expires_at", "code", "iss", "redirect_uri", "error", "error_description"}
)


@dataclass(frozen=True, slots=True)
class Token:
    """The app signed the user in and hands over the token itself, and what it may not say of itself: whose it is, and
    until when it is good (ISO 8601).
    """

    text: str = field(repr=False)
    email: str = ""
    expires_at: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """To be exchanged for a token. `issuer` is who says that it made the code (RFC 9207), `redirect_uri` where the
    issuer sent it, when that was not here.
    """

    text: str = field(repr=False)
    issuer: str | None = None
    redirect_uri: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The sign-in is over, and this is why."""

    reason: str


Answer = Union[Token, Code, Refused]


class NotAnAnswer(Exception):
    """Whatever asked for the callback is not the end of a sign-in; the message says why."""


def read_answer(query: str, *, state: str) -> Answer:
    """What the query of the callback says to the sign-in that began with `state`.

    Raises: NotAnAnswer for a query that no app sends.
    """
    try:
        pairs = [(k, v) for k, v in parse_qsl(query, keep_blank_values=True, max_num_fields=50) if k in _NAMES]
    except ValueError as error:
        raise NotAnAnswer("Too many parameters.") from error
    given = dict(pairs)
    if len(given) != len(pairs):
        raise NotAnAnswer("A parameter is there more than once.")
    if len(given.keys() & {"token", "code", "error"}) != 1:
        raise NotAnAnswer("The address has to hold one of token, code and error.")
    # In constant time: how long it takes must not tell how much of a guess was right.
    if not hmac.compare_digest(given.get("state", "").encode("utf-8", "replace"), state.encode()):
        return Refused(MISMATCH)
    if "error" in given:
        return Refused(cleaned(given.get("error_description") or given["error"]))
    text = given.get("token", given.get("code", ""))
    if not 0 < len(text) <= MAX_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
        return Refused("The sign-in page sent something that cannot be a token.")
    if "token" in given:
        return Token(text, given.get("email", ""), given.get("expires_at", ""))
    return Code(text, given.get("iss"), given.get("redirect_uri"))


def cleaned(reason: str) -> str:
    """Somebody else's words, fit for one line of a terminal."""
    words = "".join(letter if letter.isprintable() else " " for letter in reason).split()
    return " ".join(words)[:_MAX_REASON] or "The sign-in was refused without a reason."
