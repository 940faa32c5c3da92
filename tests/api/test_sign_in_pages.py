"""Signing in through the browser: what the two pages do with what they should get, and with everything else."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dagy_runtime.adapters.memory import MemoryExchange, MemoryPublicKeys
from dagy_runtime.api.sign_in import GOOD_FOR_S, is_loopback_callback

CALLBACK = "http://127.0.0.1:43210/callback"
STATE = "the-state-of-the-command-line"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
RETURN = "https://api.example/sign-in/callback"


@pytest.fixture
def stage(new_stage: Any, pool: Any) -> Any:
    return new_stage(public_keys=MemoryPublicKeys({pool.kid: pool.public}), exchange=MemoryExchange())


class Browser:
    """As much of one as it takes: it keeps a cookie and follows what it is told."""

    def __init__(self, stage: Any) -> None:
        self.client, self.cookies = stage.anonymous(), {}

    def open(self, path: str, query: Any = ()) -> Any:
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        reply = self.client.get(path, query=query, headers={"cookie": jar} if jar else None)
        if "set-cookie" in reply.headers:
            name, _, value = reply.headers["set-cookie"].split(";")[0].partition("=")
            self.cookies[name] = value
        return reply

    def begin(self, **query: str) -> dict[str, str]:
        """What the page's link tells the pool."""
        reply = self.open("/sign-in", {"cli_callback": CALLBACK, "state": STATE, **query})
        assert reply.status == 200, reply.body
        [link] = re.findall('href="([^"]+)"', reply.body.decode())
        url = urlsplit(html.unescape(link))
        assert f"{url.scheme}://{url.netloc}{url.path}" == "https://pool.example/oauth2/authorize"
        return {name: value for name, [value] in parse_qs(url.query).items()}

    def finish(self, query: Any) -> Any:
        return self.open("/sign-in/callback", query)


def given_to_the_program(reply: Any) -> dict[str, str]:
    assert reply.status == 303, reply.body
    url = urlsplit(reply.headers["location"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == CALLBACK and not url.fragment
    return {name: value for name, [value] in parse_qs(url.query, keep_blank_values=True).items()}


def s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def sign_in(stage: Any, pool: Any, browser: Browser, code: str = "c-1", **changes: Any) -> dict[str, str]:
    """The pool's part: a code for the challenge, with tokens behind it. What it was asked."""
    asked = browser.begin()
    now = stage.clock.now()
    access = pool.token(pool.claims(now, **{"cognito:groups": ["viewer"], **changes}))
    identity = pool.token(pool.claims(now, token_use="id", aud="5f3example", client_id=None, email="ann@example.com"))
    [cookie] = browser.cookies.values()
    verifier = base64.urlsafe_b64decode(cookie + "==").decode().split('"verifier":"')[1].split('"')[0]
    assert s256(verifier) == asked["code_challenge"]
    stage.ports.exchange.codes[code, verifier, RETURN] = (access, identity)
    return asked


def test_the_pool_is_asked_for_a_code_with_pkce(stage: Any) -> None:
    asked = Browser(stage).begin()
    assert asked.pop("state") and len(asked.pop("code_challenge")) == 43
    assert asked == {
        "response_type": "code", "client_id": "5f3example", "redirect_uri": RETURN, "scope": "openid email",
        "code_challenge_method": "S256",
    }  # fmt: skip


def test_who_signed_in_comes_back_with_a_token_that_opens_the_api(stage: Any, pool: Any) -> None:
    browser = Browser(stage)
    asked = sign_in(stage, pool, browser)

    given = given_to_the_program(browser.finish({"code": "c-1", "state": asked["state"]}))

    assert (given["state"], given["email"], given["expires_at"]) == (
        STATE,
        "ann@example.com",
        "2026-03-04T13:00:00.000Z",
    )
    assert type(browser.client)(stage.app, given["token"]).get("/v1/whoami").json()["name"] == "ann@example.com"
    assert list(browser.cookies.values()) == [""]


def test_a_program_with_a_challenge_of_its_own_gets_the_code_and_no_token(stage: Any) -> None:
    browser = Browser(stage)
    asked = browser.begin(code_challenge=CHALLENGE, code_challenge_method="S256")
    assert asked["code_challenge"] == CHALLENGE

    given = given_to_the_program(browser.finish({"code": "c-1", "state": asked["state"]}))

    assert given == {
        "code": "c-1", "state": STATE, "redirect_uri": RETURN,
        "iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_test",
    }  # fmt: skip


def test_several_sign_ins_may_be_under_way_in_one_browser(stage: Any, pool: Any) -> None:
    browser = Browser(stage)
    first, second = (browser.begin(code_challenge=CHALLENGE, code_challenge_method="S256") for _ in range(2))
    for asked in (first, second):
        assert given_to_the_program(browser.finish({"code": "c", "state": asked["state"]}))["code"] == "c"


def test_a_refusal_of_the_pool_is_told_to_the_program(stage: Any) -> None:
    browser = Browser(stage)
    asked = browser.begin()
    query = {"error": "access_denied", "error_description": "No <b>thanks</b>&x=1", "state": asked["state"]}
    assert given_to_the_program(browser.finish(query)) == {
        "error": "access_denied", "error_description": "No <b>thanks</b>&x=1", "state": STATE,
    }  # fmt: skip


@pytest.mark.parametrize("code", ["", "unknown", "a b", "x" * 3000, "ü"])
def test_a_code_that_is_not_good_is_told_to_the_program(stage: Any, pool: Any, code: str) -> None:
    browser = Browser(stage)
    asked = sign_in(stage, pool, browser)
    assert "error" in given_to_the_program(browser.finish({"code": code, "state": asked["state"]}))


def test_a_code_is_good_once(stage: Any, pool: Any) -> None:
    browser = Browser(stage)
    asked = sign_in(stage, pool, browser)
    cookies, query = dict(browser.cookies), {"code": "c-1", "state": asked["state"]}
    assert "token" in given_to_the_program(browser.finish(query))
    browser.cookies = cookies
    assert given_to_the_program(browser.finish(query))["error"] == "invalid_grant"


def test_tokens_of_somebody_elses_pool_are_not_handed_on(stage: Any, pool: Any) -> None:
    browser = Browser(stage)
    asked = sign_in(stage, pool, browser, iss="https://evil.example")
    given = given_to_the_program(browser.finish({"code": "c-1", "state": asked["state"]}))
    assert "token" not in given and given["error"] == "server_error"


def test_what_began_in_another_browser_ends_nowhere(stage: Any, pool: Any) -> None:
    ours, theirs = Browser(stage), Browser(stage)
    asked = sign_in(stage, pool, theirs)
    query = {"code": "c-1", "state": asked["state"]}
    assert ours.finish(query).status == 400
    ours.begin()
    assert ours.finish(query).status == 400
    # The cookie of one sign-in under the name that belongs to another.
    [name] = theirs.cookies
    ours.cookies = {name: next(iter(ours.cookies.values()))}
    reply = ours.finish(query)
    assert (
        reply.status == 400 and b"Run <code>dagy login</code> again" in reply.body and "location" not in reply.headers
    )


def test_a_cookie_that_was_changed_on_the_way_ends_nowhere(stage: Any) -> None:
    browser = Browser(stage)
    asked = browser.begin()
    [(name, value)] = browser.cookies.items()
    for changed in (value[:-1], value + "A", "", "x", value.replace("e", "f", 1), "AA", "bnVsbA", "e30", "ü"):
        browser.cookies = {name: changed}
        assert browser.finish({"code": "c", "state": asked["state"]}).status == 400, changed


def test_a_forged_pair_of_cookie_and_state_leads_to_this_computer_only(stage: Any) -> None:
    """Who can set cookies for the host could make one; still no other computer gets anything."""
    browser = Browser(stage)
    for callback in ("https://evil.example/", "http://127.0.0.1:1@evil.example/", 1, None):
        trip = {"callback": callback, "state": STATE, "verifier": "", "chance": "", "ends_at": 9e12}
        cookie = base64.urlsafe_b64encode(json.dumps(trip).encode()).rstrip(b"=").decode()
        state = s256(cookie)
        browser.cookies = {f"__Host-dagy-sign-in-{state[:8]}": cookie}
        assert browser.finish({"code": "c", "state": state}).status == 400


def test_a_sign_in_may_take_ten_minutes(stage: Any) -> None:
    browser = Browser(stage)
    asked = browser.begin(code_challenge=CHALLENGE, code_challenge_method="S256")
    stage.clock.advance(GOOD_FOR_S)
    reply = browser.finish({"code": "c", "state": asked["state"]})
    assert reply.status == 400 and b"took too long" in reply.body


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"cli_callback": CALLBACK},
        {"state": STATE},
        {"cli_callback": CALLBACK, "state": "short"},
        {"cli_callback": CALLBACK, "state": "x" * 201},
        {"cli_callback": CALLBACK, "state": STATE + "<script>"},
        {"cli_callback": CALLBACK, "state": STATE, "code_challenge": CHALLENGE},
        {"cli_callback": CALLBACK, "state": STATE, "code_challenge": CHALLENGE, "code_challenge_method": "plain"},
        {"cli_callback": CALLBACK, "state": STATE, "code_challenge": "short", "code_challenge_method": "S256"},
        {"cli_callback": CALLBACK, "state": STATE, "code_challenge_method": "S256"},
        {"cli_callback": CALLBACK, "state": STATE, "code_challenge": "", "code_challenge_method": "S256"},
        [("cli_callback", CALLBACK), ("cli_callback", "https://evil.example"), ("state", STATE)],
        [("cli_callback", CALLBACK), ("state", STATE), ("state", STATE)],
    ],
)
def test_a_sign_in_that_begins_wrongly_does_not_begin(stage: Any, query: Any) -> None:
    reply = Browser(stage).open("/sign-in", query)
    assert reply.status == 400 and "set-cookie" not in reply.headers and "location" not in reply.headers


GOOD = [
    "http://127.0.0.1:1/",
    "http://127.0.0.1:65535",
    "http://localhost:8080/a/b.c_d-e~f/",
    "http://[::1]:9/callback",
]
BAD = [
    "https://127.0.0.1:1/",
    "http://127.0.0.1/",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:65536/",
    "http://127.0.0.1:/",
    "http://127.0.0.2:1/",
    "http://evil.example:1/",
    "http://127.0.0.1.evil.example:1/",
    "http://localhost.evil.example:1/",
    "http://127.0.0.1:1@evil.example/",
    "http://evil.example\\@127.0.0.1:1/",
    "http://127.0.0.1:1\\@evil.example/",
    "http://user@127.0.0.1:1/",
    "http://127.0.0.1:1/?a=b",
    "http://127.0.0.1:1/#a",
    "http://127.0.0.1:1//evil.example",
    "http://127.0.0.1:1/../x",
    "http://127.0.0.1:1/%2e%2e/",
    "http://0x7f.1:1/",
    "http://2130706433:1/",
    "http://127.1:1/",
    "http://[::ffff:127.0.0.1]:1/",
    "http://[::]:1/",
    "http://0.0.0.0:1/",
    "HTTP://127.0.0.1:1/",
    "javascript:alert(1)//127.0.0.1:1/",
    "//127.0.0.1:1/",
    "http:127.0.0.1:1/",
    "http:///127.0.0.1:1/",
    "http://LOCALHOST:1/",
    "http://127.0.0.1:1/a;b",
    "http://127.0.0.1:1/a:b",
    "http://localhost.:1/",
    "file:///etc/passwd",
    "data:text/html,x",
    "http://１２７.0.0.1:1/",
]


def test_only_loopback_addresses_are_led_back_to(stage: Any) -> None:
    assert all(map(is_loopback_callback, GOOD))
    for text in [*BAD, "", "http://127.0.0.1:1/\n", "http://127.0.0.1:1/ x", " http://127.0.0.1:1/", "http://127.0.0.1:١/",
                 "http://127.0.0.1:1/" + "a" * 200, "http://127.0.0.1:1/\r\nSet-Cookie: a=b"]:  # fmt: skip
        assert not is_loopback_callback(text), text
        reply = Browser(stage).open("/sign-in", {"cli_callback": text, "state": STATE})
        assert reply.status == 400 and b"is not on this computer" in reply.body


def test_the_pages_are_as_closed_as_pages_can_be(stage: Any) -> None:
    begun = Browser(stage).open("/sign-in", {"cli_callback": CALLBACK, "state": STATE})
    for reply in (begun, Browser(stage).open("/sign-in")):
        policy = reply.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-") and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy and "form-action 'none'" in policy
        assert reply.headers["cache-control"] == "no-store" and reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        style = re.search("<style>(.*?)</style>", reply.body.decode(), re.DOTALL)
        assert style and base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() in policy
        assert b"<script" not in reply.body
    cookie = begun.headers["set-cookie"]
    assert cookie.startswith("__Host-dagy-sign-in-")
    assert cookie.split("; ")[1:] == ["Path=/", "Max-Age=600", "HttpOnly", "Secure", "SameSite=Lax"]


def test_nothing_of_a_sign_in_is_logged(stage: Any, pool: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    browser = Browser(stage)
    asked = sign_in(stage, pool, browser)
    token = given_to_the_program(browser.finish({"code": "c-1", "state": asked["state"]}))["token"]
    for secret in (token, "c-1", asked["state"], STATE):
        assert secret not in caplog.text
