"""The temporary server that a sign-in ends at: on 127.0.0.1, for one callback, for as long as the command waits.

Everything is this instance's own, so several sign-ins may wait in one process. Each connection has a thread, because
browsers open connections that they do not use at once; a server that reads one after the other would wait for those.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final

from dagy_cli.sign_in.answers import Answer, NotAnAnswer, read_answer
from dagy_cli.sign_in.pages import HEADERS, page

_log: Final = logging.getLogger(__name__)
HOST: Final = "127.0.0.1"  # the literal: a name could be made to lead elsewhere (RFC 8252, 8.3)
CALLBACK, DONE = "/callback", "/done"
MAX_TARGET: Final = 20_000
_OUTCOME_S: Final = 30.0  # longer than an exchange may take
_LINGER_S: Final = 2.0


class CallbackServer:
    """Listens from its making, serves within `with`."""

    def __init__(self, state: str) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._answer: Answer | None = None
        self._answered, self._concluded, self._shown = threading.Event(), threading.Event(), threading.Event()
        self._failure: str | None = None
        self._httpd = _Httpd(self)
        self._thread = threading.Thread(target=self._httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def authority(self) -> str:
        return f"{HOST}:{self._httpd.server_address[1]}"

    @property
    def url(self) -> str:
        """Where the browser has to be sent in the end."""
        return f"http://{self.authority}{CALLBACK}"

    @property
    def is_waiting(self) -> bool:
        return not self._answered.is_set() and not self._concluded.is_set()

    def wait(self, timeout_s: float) -> Answer | None:
        """The one answer; None when it has not come in time."""
        self._answered.wait(timeout_s)
        return self._answer

    def conclude(self, failure: str | None) -> None:
        """Have the browser told how it ended, None being well, and give it a moment to ask."""
        self._failure = failure
        self._concluded.set()
        if self._answered.is_set():
            self._shown.wait(_LINGER_S)

    def __enter__(self) -> CallbackServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._httpd.shutdown()
        self._thread.join()
        self._httpd.server_close()

    # --- called by the connections' threads -----------------------------------------------------------------

    def take(self, query: str) -> bool:
        """Make the query the one answer; False when there has been one. Raises: NotAnAnswer; nothing has changed."""
        with self._lock:
            if self._answer is not None:
                return False
            self._answer = read_answer(query, state=self._state)
        self._answered.set()
        return True

    def outcome(self) -> tuple[str, str, bool] | None:
        """Title, text and whether it is a good end; None before anything has come. Waits for the command's part."""
        if not self._answered.is_set():
            return None
        if not self._concluded.wait(_OUTCOME_S):
            return "Still signing in", "The terminal will tell how it ends.", False
        if self._failure is not None:
            return "The sign-in failed", self._failure, False
        return "You are signed in", "The command line has its token.", True

    def shown(self) -> None:
        self._shown.set()


class _Httpd(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # five connections that a browser opens in advance must not make the sixth wait a second
    block_on_close = False  # an idle connection must not keep the command from ending

    def __init__(self, desk: CallbackServer) -> None:
        self.desk = desk
        super().__init__((HOST, 0), _Connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Browsers hang up when they like, and that is no news. Anything else is a defect, to be seen."""
        is_news = not isinstance(sys.exc_info()[1], OSError)
        _log.log(logging.ERROR if is_news else logging.DEBUG, "a connection to the callback failed", exc_info=True)


class _Connection(BaseHTTPRequestHandler):
    """One request: HTTP/1.0, so the connection ends with it."""

    server: _Httpd
    server_version, sys_version = "dagy", ""
    timeout = 10  # for a client that connects and says nothing

    def do_GET(self) -> None:
        desk = self.server.desk
        path, _, query = self.path.partition("?")
        if len(self.path) > MAX_TARGET:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG, "The address is too long to be the end of a sign-in.")
        elif self.headers.get_all("Host") != [desk.authority]:  # DNS rebinding: another name for this address
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, f"Only http://{desk.authority} is answered here.")
        elif self.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
            self._refuse(HTTPStatus.BAD_REQUEST, "A sign-in ends by going to its page, not by loading it elsewhere.")
        elif path == CALLBACK:
            self._callback(query)
        elif path == DONE and (outcome := desk.outcome()) is not None:
            title, text, is_good = outcome
            self._reply(HTTPStatus.OK, page(title, text, is_good=is_good))
            desk.shown()
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "There is nothing at this address.")

    def _callback(self, query: str) -> None:
        try:
            is_first = self.server.desk.take(query)
        except NotAnAnswer as error:
            self._refuse(HTTPStatus.BAD_REQUEST, f"This is not the end of a sign-in. {error}")
            return
        if is_first:
            # To an address without the query, so that the token is not what history and the address bar keep.
            self._reply(HTTPStatus.SEE_OTHER, b"", {"Location": DONE})
        else:
            self._refuse(HTTPStatus.CONFLICT, "This sign-in has had its answer already. Nothing was changed.")

    def _not_allowed(self) -> None:
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET is answered here.", {"Allow": "GET"})

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _not_allowed

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the server itself finds wrong with a request."""
        self._refuse(HTTPStatus(code), "This is not a request that is answered here.")

    def _refuse(self, status: HTTPStatus, text: str, headers: Mapping[str, str] | None = None) -> None:
        self._reply(status, page(status.phrase, text), headers)

    def _reply(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, **(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: the addresses hold tokens."""
