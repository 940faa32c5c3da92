"""How a request gets to the API and its answer back: one connection pool, time limits, retries of what is safe to
repeat, and one error for whatever went wrong.
"""

from __future__ import annotations

import json
import platform
import random
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from dagy.core.errors import APIError, InvalidInput
from dagy.loopback import is_loopback
from dagy.version import VERSION, is_older

if TYPE_CHECKING:
    import urllib3

USER_AGENT: Final = f"dagy-sdk/{VERSION} python/{platform.python_version()}"
TOO_MANY: Final = 429
RETRIED_STATUSES: Final = frozenset({TOO_MANY, 502, 503, 504})
LONGEST_WAIT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Retrying:
    """How often and how patiently a request that is safe to repeat is repeated. Waits double and are jittered."""

    attempts: int = 3
    first_wait_s: float = 0.25
    sleep: Callable[[float], None] = time.sleep

    def wait_s(self, attempt: int, retry_after_s: float | None) -> float | None:
        """How long to wait after the failed attempt number `attempt` (from 1); None means to give up."""
        if attempt >= self.attempts:
            return None
        if retry_after_s is not None:
            return retry_after_s if retry_after_s <= LONGEST_WAIT_S else None
        return float(self.first_wait_s * 2 ** (attempt - 1) * (0.5 + random.random()))  # noqa: S311 - chance, not a secret


PATIENTLY: Final = Retrying()


class Transport:
    """Sends requests to one API. Thread-safe. The token is asked for with each request and never logged."""

    def __init__(
        self, base_url: str, token: Callable[[], str | None], *, timeout_s: float, retrying: Retrying = PATIENTLY
    ) -> None:
        self.url = api_root(base_url)
        self._token = token
        self._timeout_s = timeout_s
        self._retrying = retrying

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        idempotency_key: str | None = None,
        if_version: int | None = None,
        is_conditional: bool = False,
        is_done_when_absent: bool = False,
    ) -> bytes:
        """The body of the answer to one request. `path` starts with a slash; query values that are None are left out.

        It is repeated when nobody answered or the answer was "later", if a repeat changes nothing more: a GET or
        DELETE, a PUT, and whatever has an idempotency key. What is conditional on a version is not, without a key: a
        repeat would be refused because the first had succeeded. Whatever was turned away with 429 and a time to come
        back is repeated too, because nothing was done then. With `is_done_when_absent`, a repeat that finds nothing was
        not the first to succeed.

        Raises: APIError, with status 0 when nobody answered; InvalidInput when a token would go over an open line.
        """
        import urllib3  # a lazy door: 60 ms that commands without a request need not pay

        headers = self._headers(body, idempotency_key)
        if if_version is not None:
            headers["If-Match"] = f'"{if_version}"'
        parameters = {key: value for key, value in (query or {}).items() if value is not None}
        url = f"{self.url}{path}{'?' + urlencode(parameters, doseq=True) if parameters else ''}"
        is_idempotent = method in ("GET", "DELETE", "PUT") and if_version is None and not is_conditional
        is_repeatable = is_idempotent or idempotency_key is not None
        attempt, may_be_done = 0, False
        while True:
            attempt += 1
            may_repeat, was_turned_away, retry_after_s = is_repeatable, False, None
            try:
                response = self._pool.request(method, url, body=body, headers=headers, redirect=False)
            except urllib3.exceptions.HTTPError as error:
                failure = self._unreachable(error)
            else:
                if response.status < 300 or (response.status == 404 and is_done_when_absent and may_be_done):
                    return response.data
                failure = _refused(response)
                retry_after_s = _retry_after_s(response)
                was_turned_away = response.status == TOO_MANY and retry_after_s is not None
                may_repeat = was_turned_away or (is_repeatable and response.status in RETRIED_STATUSES)
            may_be_done = may_be_done or not was_turned_away
            wait_s = self._retrying.wait_s(attempt, retry_after_s) if may_repeat else None
            if wait_s is None:
                raise failure
            self._retrying.sleep(wait_s)

    def close(self) -> None:
        """Let go of idle connections; the next request makes a new one."""
        if "_pool" in self.__dict__:
            self._pool.clear()

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        return connection_pool(self.url, self._timeout_s)

    def _headers(self, body: bytes | None, idempotency_key: str | None) -> dict[str, str]:
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        token = self._token()
        if token:
            parts = urlsplit(self.url)
            if parts.scheme != "https" and not is_loopback(parts.hostname):
                raise InvalidInput(
                    f"Refusing to send a token to {parts.hostname} over plain http",
                    "Use an https:// URL. Plain http is for this machine only.",
                )
            if not token.isascii() or not token.isprintable():
                raise InvalidInput("The token holds characters that no token has", "Set it again.")
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _unreachable(self, cause: Exception) -> APIError:
        error = APIError(
            0,
            f"Unable to reach Dagy API at {self.url}. Check DAGY_API_URL/profile and network connectivity.",
            "unreachable",
            "Start the local cloud: dagy local start" if _is_local_cloud(self.url) else None,
        )
        error.__cause__ = cause
        return error


def connection_pool(url: str, timeout_s: float) -> urllib3.PoolManager:
    """Connections to `url`, through the proxy that the environment names for it. Nothing is repeated by itself."""
    import urllib3  # a lazy door: see `Transport.send`

    options: dict[str, Any] = {"timeout": urllib3.Timeout(connect=timeout_s, read=timeout_s), "retries": False}
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not is_loopback(parts.hostname) and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy, **options)
    return urllib3.PoolManager(**options)


def api_root(base_url: str) -> str:
    """Where the routes are: `base_url` may end in `/v1` or not.

    Raises: InvalidInput for what is no URL.
    """
    try:
        parts = urlsplit(base_url.strip())
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment
        _ = parts.port
    except ValueError:
        is_valid = False
    if not is_valid:
        raise InvalidInput(f"Invalid API URL {base_url!r}", "A URL starts with http:// or https:// and names a host.")
    root = base_url.strip().rstrip("/")
    return root if root.endswith("/v1") else f"{root}/v1"


def _skew(response: urllib3.BaseHTTPResponse, code: str | None) -> str | None:
    """What to do when the stage is of another version, where that may be why it refused."""
    theirs = response.headers.get("Dagy-Version")
    if code not in _CODES_OF_SKEW or theirs == VERSION:
        return None
    if theirs is None and code != "no_such_route":
        return None
    if theirs is None:
        return "The stage may be older than this Dagy, or this is no Dagy API. See: dagy infra status"
    told = f"The stage runs Dagy {theirs}, this is {VERSION}."
    if is_older(theirs):
        return f"{told} Upgrade the stage: dagy infra deploy"
    return f"{told} Upgrade this one: pip install --upgrade dagy"


_CODES_OF_SKEW: Final = ("no_such_route", "method_not_allowed", "invalid_input", "invalid_flow")


def _is_local_cloud(url: str) -> bool:
    parts = urlsplit(url)
    return is_loopback(parts.hostname) and parts.path.startswith("/_aws/execute-api/")


def _refused(response: urllib3.BaseHTTPResponse) -> APIError:
    """The API's own words when it sent them; else those of whatever stands before it."""
    try:
        answer = json.loads(response.data)
    except ValueError:
        answer = None
    detail = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(detail, dict) and isinstance(detail.get("message"), str):
        code = detail.get("code")
        hints = [hint for hint in (detail.get("hint"), _skew(response, code)) if hint]
        return APIError(response.status, detail["message"], code, " ".join(hints) or None)
    message = answer.get("message") if isinstance(answer, dict) else None
    return APIError(response.status, str(message or response.reason or "The API refused the request"))


def _retry_after_s(response: urllib3.BaseHTTPResponse) -> float | None:
    import urllib3  # a lazy door: see `send`

    value = response.headers.get("Retry-After")
    try:
        return urllib3.Retry().parse_retry_after(value) if value else None
    except urllib3.exceptions.InvalidHeader:
        return None
