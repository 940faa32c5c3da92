"""One request from its parts to its answer: who asks, whether they may, what they sent, what came of it.

Knows no framework and no sockets, so it can be called from anything that has headers and a body.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from dagy.core.errors import DagyError, Forbidden, InvalidInput
from dagy.core.offer import Offer
from dagy_runtime.api.answers import Answer
from dagy_runtime.api.auditing import entry_of, has_changed, is_audited
from dagy_runtime.api.callers import Gate
from dagy_runtime.api.context import NOBODY, Already, Caller, Context
from dagy_runtime.api.errors import MethodNotAllowed, told
from dagy_runtime.api.repeats import once
from dagy_runtime.api.route import Route
from dagy_runtime.api.wire import encode, read_body, read_query
from dagy_runtime.ports import Ports
from dagy_runtime.ports.people import AuditEntry
from dagy_runtime.values import Role

_LOG: Final = logging.getLogger("dagy.api")
_ETAG: Final = re.compile('"([0-9]{1,9})"')
_IDEMPOTENCY_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")


class _NoQuery(msgspec.Struct):
    """Of routes that take no query parameters."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came in. `headers` must find names whatever their case. Never logged: headers hold keys."""

    headers: Mapping[str, str] = field(repr=False)
    path: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    body: bytes


class Service:
    """Handles requests over one world. Thread-safe."""

    def __init__(self, ports: Ports, offer: Offer, gate: Gate, *, version: str) -> None:
        self._ports, self._offer, self._gate, self._version = ports, offer, gate, version

    def handle(self, route: Route, arrived: Arrived) -> Answer:
        """Always an answer, never an exception. Writes one line to the log."""
        started = time.perf_counter()
        request_id, caller = self._ports.ids.unique(), NOBODY
        try:
            if route.role is not None:
                caller = self._gate.caller(arrived.headers)
                _check_role(caller, route.role)
            context = Context(
                ports=self._ports,
                offer=self._offer,
                version=self._version,
                request_id=request_id,
                caller=caller,
                idempotency_key=_idempotency_key(arrived.headers),
                if_match=_if_match(route, arrived.headers),
                forget_sessions=self._gate.book.forget,
            )
            answer = once(
                context,
                route.repeats,
                request=_request(route, arrived),
                act=lambda: _succeeded(route, self._done(route, context, arrived)),
            )
        except Exception as error:
            answer = _failed(error, request_id)
        answer = self._marked(answer, request_id)
        took_ms = (time.perf_counter() - started) * 1000
        line = {
            "request_id": request_id,
            "method": route.method,
            "route": route.path,
            "status": answer.status,
            "caller": caller.id,
            "duration_ms": round(took_ms, 1),
        }
        _LOG.info(encode(line).decode())
        return answer

    def refused(self, error: DagyError) -> Answer:
        """The answer to a request that no route saw."""
        request_id = self._ports.ids.unique()
        return self._marked(_failed(error, request_id), request_id)

    def _marked(self, answer: Answer, request_id: str) -> Answer:
        marks = {"X-Request-Id": request_id, "Dagy-Version": self._version}
        return replace(answer, headers={**answer.headers, **marks})

    def not_allowed(self, method: str, path: str, allowed: str) -> Answer:
        return self.refused(MethodNotAllowed(method, path, allowed))

    def _done(self, route: Route, context: Context, arrived: Arrived) -> Any:
        """What the handler made of it, which is in the audit log then."""
        result = _called(route, context, arrived)
        if is_audited(route.method) and has_changed(result):
            self._audit(entry_of(route.method, route.path, arrived.path, result, context))
        return result

    def _audit(self, entry: AuditEntry) -> None:
        """After the deed, which an audit log that does not answer must not make look undone."""
        try:
            self._ports.audit.append(entry)
        except Exception:
            said = "request %s is missing in the audit log: %s %s"
            _LOG.exception(said, entry.request_id, entry.action, entry.resource)


def _check_role(caller: Caller, needed: Role) -> None:
    if caller.role is None or not caller.role.includes(needed):
        raise Forbidden(
            f"This needs the role '{needed}'; '{caller.name}' is {caller.role or 'without any'}",
            "Ask an admin for a key with that role."
            if caller.kind == "key"
            else f"Ask an admin for it: dagy users set-role {caller.name} {needed}",
        )


def _idempotency_key(headers: Mapping[str, str]) -> str | None:
    text = headers.get("idempotency-key")
    if text is not None and not _IDEMPOTENCY_KEY.fullmatch(text):
        raise InvalidInput("Invalid Idempotency-Key", "1–255 printable ASCII characters without spaces.")
    return text


def _if_match(route: Route, headers: Mapping[str, str]) -> int | None:
    """The version that the ETag in `If-Match` stands for. Where it would be ignored, it is refused."""
    text = headers.get("if-match")
    if text is None or route.method == "GET":
        return None
    if route.etag is None:
        raise InvalidInput(f"{route.method} {route.path} does not honour If-Match", "Leave it out.")
    found = _ETAG.fullmatch(text)
    if found is None:
        raise InvalidInput(f"Invalid If-Match {text[:50]!r}", 'The ETag of an earlier answer, such as "3".')
    return int(found[1])


def _request(route: Route, arrived: Arrived) -> bytes:
    """What makes two requests the same."""
    return encode([route.method, route.path, sorted(arrived.path.items()), arrived.body])


def _called(route: Route, context: Context, arrived: Arrived) -> Any:
    given: list[Any] = []
    if route.body is not None:
        given.append(read_body(arrived.body, route.body))
    if route.query is not None:
        given.append(read_query(arrived.query, route.query))
    else:
        read_query(arrived.query, _NoQuery)
    return route.handler(context, *given, **arrived.path)


def _succeeded(route: Route, result: Any) -> Answer:
    headers = {"ETag": f'"{getattr(result, route.etag)}"'} if route.etag else {}
    if route.response is None:
        return Answer(route.status, b"", headers)
    if isinstance(result, Already):
        return Answer(200, encode(result.body), headers)
    return Answer(route.status, encode(result), headers)


def _failed(error: Exception, request_id: str) -> Answer:
    status, body, headers = told(error, request_id=request_id)
    return Answer(status, encode(body), headers)
