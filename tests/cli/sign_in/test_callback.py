"""What a sign-in is made of: its callback under attack, its proof, what it makes of tokens, and two of them at once."""

from __future__ import annotations

import base64
import http.client
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sign_in_server import CLIENT_ID, SignInServer
from visitor import visit

from dagy.core.errors import InvalidInput, LoginFailed
from dagy_cli.sign_in.answers import MISMATCH, Code, NotAnAnswer, Refused, Token, read_answer
from dagy_cli.sign_in.callback import CallbackServer
from dagy_cli.sign_in.exchange import Issuer, Proof
from dagy_cli.sign_in.flow import SignedIn, Telling, sign_in
from dagy_cli.sign_in.pages import HEADERS, page

STATE = "s" * 43


# --- the callback -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: str


@pytest.fixture
def callback() -> Iterator[CallbackServer]:
    with CallbackServer(STATE) as server:
        yield server


def ask(server: CallbackServer, target: str, *, method: str = "GET", headers: dict[str, str] | None = None) -> Reply:
    host, port = server.authority.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    try:
        connection.putrequest(method, target, skip_host=True)
        for name, value in {"Host": server.authority, **(headers or {})}.items():
            if value:
                connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return Reply(response.status, dict(response.getheaders()), response.read().decode())
    finally:
        connection.close()


def raw(server: CallbackServer, data: bytes) -> bytes:
    host, port = server.authority.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(4096):
            answer += more
    return answer


GOOD = f"/callback?token=t&state={STATE}"
ATTACKS = [
    pytest.param("GET", "/", {}, 404, id="another path"),
    pytest.param("GET", f"/callback/?token=t&state={STATE}", {}, 404, id="nearly the path"),
    pytest.param("GET", f"/CALLBACK?token=t&state={STATE}", {}, 404, id="the path in capitals"),
    pytest.param("GET", "/done", {}, 404, id="the last page before there is one"),
    pytest.param("GET", "/favicon.ico", {}, 404, id="what browsers ask for by themselves"),
    pytest.param("GET", "/callback", {}, 400, id="no query"),
    pytest.param("GET", f"/callback?state={STATE}", {}, 400, id="a state alone"),
    pytest.param("GET", f"{GOOD}&state=x", {}, 400, id="two states"),
    pytest.param("GET", f"{GOOD}&token=x", {}, 400, id="two tokens"),
    pytest.param("GET", f"{GOOD}&code=x", {}, 400, id="a token and a code"),
    pytest.param("GET", GOOD + "&a=b" * 60, {}, 400, id="too many parameters"),
    pytest.param("GET", GOOD + "&a=" + "b" * 20_000, {}, 414, id="an oversized query"),
    pytest.param("GET", GOOD + "&a=" + "b" * 70_000, {}, 414, id="a query that no server reads"),
    *[pytest.param(method, GOOD, {}, 405, id=method) for method in
      ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")],
    pytest.param("BREW", GOOD, {}, 501, id="no method at all"),
    pytest.param("GET", GOOD, {"Host": "localhost:{port}"}, 421, id="another name of this machine"),
    pytest.param("GET", GOOD, {"Host": "evil.example:{port}"}, 421, id="DNS rebinding"),
    pytest.param("GET", GOOD, {"Host": "127.0.0.1"}, 421, id="no port"),
    pytest.param("GET", GOOD, {"Host": ""}, 421, id="no host"),
    pytest.param("GET", GOOD, {"Sec-Fetch-Mode": "no-cors"}, 400, id="an image of another site"),
    pytest.param("GET", GOOD, {"Sec-Fetch-Mode": "cors"}, 400, id="a script of another site"),
]  # fmt: skip


@pytest.mark.parametrize("method, target, headers, status", ATTACKS)
def test_what_is_not_the_callback_gets_a_page_and_changes_nothing(
    callback: CallbackServer, method: str, target: str, headers: dict[str, str], status: int
) -> None:
    port = callback.authority.split(":")[1]
    named = {name: value.format(port=port) for name, value in headers.items()}

    reply = ask(callback, target, method=method, headers=named)

    assert reply.status == status
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert ("<h1>" in reply.body) is (method != "HEAD")
    assert callback.wait(0) is None
    assert ask(callback, GOOD).status == 303
    assert callback.wait(0) == Token("t")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"GET\r\n\r\n", id="no target"),
        pytest.param(b"GET /callback?token=t HTTP/9.9\r\n\r\n", id="a version of the future"),
        pytest.param(b"GET " + GOOD.encode() + b"\r\n\r\n", id="HTTP 0.9, which has no Host"),
        pytest.param(b"GET " + GOOD.encode() + b" HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", id="200 headers"),
        pytest.param(b"GET " + GOOD.encode() + b" HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n", id="two hosts"),
        pytest.param(b"GET " + GOOD.encode()[:30], id="half a request"),
        pytest.param(b"GET http://{host}" + GOOD.encode() + b" HTTP/1.1\r\nHost: {host}\r\n\r\n", id="as to a proxy"),
    ],
)
def test_what_is_hardly_http_changes_nothing(callback: CallbackServer, data: bytes) -> None:
    answer = raw(callback, data.replace(b"{host}", callback.authority.encode()))

    assert b"303" not in answer[:20]
    assert callback.wait(0) is None


def test_there_is_one_callback_only(callback: CallbackServer) -> None:
    assert ask(callback, GOOD).status == 303

    for second in (GOOD, f"/callback?token=other&state={STATE}", "/callback?token=t&state=wrong"):
        reply = ask(callback, second)
        assert reply.status == 409
        assert "Nothing was changed" in reply.body
    assert callback.wait(0) == Token("t")


def test_of_many_callbacks_at_once_one_counts(callback: CallbackServer) -> None:
    together = threading.Barrier(16)
    statuses: list[int] = []

    def call(number: int) -> None:
        together.wait()
        statuses.append(ask(callback, f"/callback?token=t{number}&state={STATE}").status)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [303] + [409] * 15


def test_connections_that_say_nothing_keep_nobody_waiting(callback: CallbackServer) -> None:
    host, port = callback.authority.split(":")
    idle = [socket.create_connection((host, int(port)), timeout=30) for _ in range(20)]
    try:
        assert ask(callback, GOOD).status == 303
    finally:
        for connection in idle:
            connection.close()


def test_the_token_is_in_no_page_no_header_and_no_address_that_stays(callback: CallbackServer) -> None:
    first = ask(callback, f"/callback?token=the-token&state={STATE}")
    callback_done = threading.Thread(target=callback.conclude, args=(None,))
    callback_done.start()
    last = ask(callback, first.headers["Location"])
    callback_done.join()

    assert first.headers["Location"] == "/done"
    for reply in (first, last):
        assert "the-token" not in reply.body + repr(reply.headers)
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert "You are signed in" in last.body


@pytest.mark.parametrize("failure", ["The user said no.", "<script>alert(1)</script>"])
def test_the_browser_is_told_how_it_ended(callback: CallbackServer, failure: str) -> None:
    ask(callback, GOOD)
    concluding = threading.Thread(target=callback.conclude, args=(failure,))
    concluding.start()

    shown = ask(callback, "/done").body
    concluding.join()

    assert "The sign-in failed" in shown
    assert "<script" not in shown
    assert failure.replace("<", "&lt;").replace(">", "&gt;") in shown


def test_the_server_is_gone_afterwards_and_was_on_this_machine_only() -> None:
    with CallbackServer(STATE) as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/callback", server.url)
        authority = server.authority
    host, port = authority.split(":")
    with pytest.raises(OSError):
        socket.create_connection((host, int(port)), timeout=5)


def test_a_page_is_whole_in_itself_and_runs_nothing() -> None:
    shown = page("A title", "A text", is_good=True).decode()

    assert not re.search(r"<script|<link|<img|<iframe|src=|href=|url\(|@import|http", shown)
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


# --- what arrives -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query, answer",
    [
        (f"token=a.b.c&state={STATE}", Token("a.b.c")),
        (f"token=t&email=a@b.c&expires_at=2099&state={STATE}", Token("t", "a@b.c", "2099")),
        (f"code=c&state={STATE}&iss=i&redirect_uri=r", Code("c", "i", "r")),
        (f"code=c&state={STATE}&unknown=1&unknown=2", Code("c")),
        (f"error=e&error_description=d&state={STATE}", Refused("d")),
        (f"error=e&error_description={'d' * 1000}&state={STATE}", Refused("d" * 300)),
        ("token=t", Refused(MISMATCH)),
        ("token=t&state=", Refused(MISMATCH)),
        (f"token=t&state={STATE[:-1]}", Refused(MISMATCH)),
        (f"token=t&state={STATE}%00", Refused(MISMATCH)),
        ("token=t&state=%FF", Refused(MISMATCH)),
        ("token=t&state=%ED%A0%80", Refused(MISMATCH)),
    ],
)
def test_what_the_query_says(query: str, answer: Any) -> None:
    assert read_answer(query, state=STATE) == answer


def test_tokens_do_not_show_in_representations() -> None:
    shown = repr([Token("secret"), Code("secret"), Proof("secret"), SignedIn("secret")])

    assert "secret" not in shown


@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda data: data.decode("latin-1")))
def test_no_query_without_the_state_is_a_token(query: str) -> None:
    try:
        answer = read_answer(query, state=STATE)
    except NotAnAnswer:
        return
    assert answer == Refused(MISMATCH)


# --- the whole of it, without the command -------------------------------------------------------------------


@dataclass
class Told:
    """What a sign-in said on its way, and what it had kept."""

    no_browser: list[str] = field(default_factory=list)
    still_waiting: list[str] = field(default_factory=list)
    kept: list[SignedIn] = field(default_factory=list)

    @property
    def telling(self) -> Telling:
        return Telling(self.no_browser.append, self.still_waiting.append)


def in_background(what: Callable[[str], Any]) -> Callable[[str, Callable[[], None]], None]:
    def open_browser(url: str, on_failure: Callable[[], None]) -> None:
        threading.Thread(target=what, args=(url,), daemon=True).start()

    return open_browser


def test_two_sign_ins_at_once_do_not_mix(server: SignInServer) -> None:
    """Each waits for the other's browser to be open before its own goes on."""
    both_open = threading.Barrier(2)
    told = {name: Told() for name in ("a", "b")}
    issuers = {"a": None, "b": Issuer(server.url, CLIENT_ID)}
    server.answers_with = "code"
    failures: list[Exception] = []

    def one(name: str) -> None:
        def browse(url: str) -> None:
            both_open.wait(timeout=30)
            visit(url, "sign-in", f"{name}@example.com")

        try:
            sign_in(
                server.url, issuers[name], told[name].kept.append,
                open_browser=in_background(browse), telling=told[name].telling,
            )  # fmt: skip
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(name,)) for name in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert [signed_in.email for name in told for signed_in in told[name].kept] == ["a@example.com", "b@example.com"]


def test_a_sign_in_that_nobody_answers_times_out_after_a_reminder(server: SignInServer) -> None:
    told = Told()

    with pytest.raises(LoginFailed) as caught:
        sign_in(
            server.url, None, told.kept.append, open_browser=lambda url, on_failure: None, telling=told.telling,
            timeout_s=0.02, reminder_s=0.01,
        )  # fmt: skip

    assert str(caught.value) == "Login failed: Login timed out – no callback received."
    assert told.kept == told.no_browser == []
    assert told.still_waiting[0].startswith(f"{server.url}/sign-in?cli_callback=")


def test_it_waits_two_minutes() -> None:
    assert sign_in.__kwdefaults__["timeout_s"] == 120


def test_a_browser_that_fails_when_all_is_over_is_no_news(server: SignInServer) -> None:
    told = Told()
    fail: list[Callable[[], None]] = []

    def open_browser(url: str, on_failure: Callable[[], None]) -> None:
        fail.append(on_failure)
        threading.Thread(target=visit, args=(url, "sign-in"), daemon=True).start()

    sign_in(server.url, None, told.kept.append, open_browser=open_browser, telling=told.telling)
    fail[0]()

    assert told.no_browser == []


@pytest.mark.parametrize("has_issuer", [False, True])
def test_the_page_is_the_apps_with_a_random_state_and_with_an_issuer_a_challenge(
    server: SignInServer, has_issuer: bool
) -> None:
    seen: list[dict[str, str]] = []

    def look(url: str, on_failure: Callable[[], None]) -> None:
        assert url.startswith(f"{server.url}/sign-in?")
        seen.append({name: values[0] for name, values in parse_qs(urlsplit(url).query).items()})

    issuer = Issuer(server.url, CLIENT_ID) if has_issuer else None
    for _ in range(2):
        with pytest.raises(LoginFailed):
            sign_in(
                f"{server.url}/", issuer, Told().kept.append, open_browser=look, telling=Told().telling, timeout_s=0
            )

    assert set(seen[0]) == {"cli_callback", "state"} | (
        {"code_challenge", "code_challenge_method"} if has_issuer else set()
    )
    assert len(base64.urlsafe_b64decode(seen[0]["state"] + "=")) == 32
    assert all(seen[0][name] != seen[1][name] for name in seen[0] if name not in ("code_challenge_method",))


@pytest.mark.parametrize(
    "url, message",
    [
        ("http://app.example", "Refusing to sign in at http://app.example over plain http"),
        ("http://127.0.0.1.example", "Refusing to sign in at"),
        ("file:///etc/passwd", "Invalid URL"),
        ("ftp://localhost", "Invalid URL"),
        ("app.example", "Invalid URL"),
        ("https://[::1", "Invalid URL"),
        ("https://app.example?a=b", "Invalid app URL"),
        ("https://app.example/#here", "Invalid app URL"),
    ],
)
def test_nobody_signs_in_over_an_open_line_or_nowhere(url: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)):
        sign_in(url, None, Told().kept.append, open_browser=lambda url, failed: None, telling=Told().telling)
