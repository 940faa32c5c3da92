"""A small sign-in server, real in what matters: a page with a form, state, PKCE, codes that are good once, tokens that
are signed, expire and can be revoked, and the two routes of the API that know them.

It plays three parts that are three services elsewhere, on one port: a web app that signs in by itself (`/sign-in`), the
issuer (`/.well-known/openid-configuration`, `/token`; `/oauth2/authorize` for apps that leave it to the issuer, as
those with a Cognito pool do) and the API (`/v1/whoami`, `/v1/logout`).
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

PASSWORD = "correct horse battery staple"
CLIENT_ID, KEY_ID = "dagy-cli", "key-1"

FORM = """<!doctype html><meta charset="utf-8"><title>Sign in</title>
<h1>Sign in to Dagy</h1><p id="problem">{problem}</p>
<form method="post">{hidden}
<label>E-mail <input name="email" type="email" autofocus></label>
<label>Password <input name="password" type="password"></label>
<button name="choice" value="sign-in" id="sign-in">Sign in</button>
<button name="choice" value="cancel" id="cancel" formnovalidate>Cancel</button>
</form>"""


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class SignInServer:
    """Changed by tests: `answers_with` is `token` or `code`; `with_answer` is added to what the callback is given;
    `token_answer` replaces what the token endpoint says; `metadata` is added to the issuer's description.
    """

    url: str = ""
    answers_with: str = "token"
    lifetime_s: float = 3600
    with_answer: dict[str, str] = field(default_factory=dict)
    token_answer: tuple[int, bytes] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def __enter__(self) -> SignInServer:
        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Connection)
        self.httpd.daemon_threads, self.httpd.block_on_close = True, False
        self.httpd.server = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self.httpd.server_address[1]}"
        self.thread = threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.httpd.shutdown()
        self.thread.join()
        self.httpd.server_close()

    # --- tokens ---------------------------------------------------------------------------------------------

    def token(self, email: str, *, use: str = "access", shows_email: bool = True) -> str:
        """One of Cognito's: of a kind, for a client, of a session."""
        now, user = time.time(), hashlib.sha256(email.encode()).hexdigest()[:16]
        payload = {
            "iss": self.url, "sub": user, "origin_jti": f"session-of-{user}", "jti": secrets.token_hex(8),
            "token_use": use, "client_id" if use == "access" else "aud": CLIENT_ID, "cognito:groups": ["developer"],
            "iat": int(now), "exp": int(now + self.lifetime_s), **({"email": email} if shows_email else {}),
        }  # fmt: skip
        signed = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": KEY_ID}, payload))
        text = f"{signed}.{encoded(self.key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"
        self.tokens.append(text)
        return text

    def claims(self, token: str) -> dict[str, Any] | None:
        """Those of a token that is good."""
        try:
            signed, _, signature = token.rpartition(".")
            raw = base64.urlsafe_b64decode(signature + "==")
            self.key.public_key().verify(raw, signed.encode(), padding.PKCS1v15(), SHA256())
            claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(signed.split(".")[1] + "=="))
        except (InvalidSignature, ValueError, IndexError):
            return None
        return claims if claims["exp"] > time.time() and token not in self.revoked else None


class Connection(BaseHTTPRequestHandler):
    """One request."""

    timeout = 10

    @property
    def desk(self) -> SignInServer:
        return self.server.server  # type: ignore[attr-defined, no-any-return]

    def do_GET(self) -> None:
        path, query = self._asked()
        if path == "/sign-in":
            self._form(query)
        elif path == "/oauth2/authorize" and query.get("client_id") == CLIENT_ID:
            self._form({**query, "cli_callback": query["redirect_uri"]})
        elif path == "/.well-known/openid-configuration":
            facts = {"issuer": self.desk.url, "token_endpoint": f"{self.desk.url}/token", **self.desk.metadata}
            self._json(200, facts)
        elif path == "/v1/whoami" and (claims := self._session()) is not None:
            who = {"kind": "user", "id": claims["sub"], "name": claims["email"], "role": "developer", "stage": "dev"}
            self._json(200, {**who, "expires_at": "2099-01-01T00:00:00.000Z"})
        elif path != "/v1/whoami":
            self._json(404, {"error": {"code": "not_found", "message": "Nothing here"}})

    def do_POST(self) -> None:
        path, _ = self._asked()
        form = {k: v[0] for k, v in parse_qs(self._body().decode(), keep_blank_values=True).items()}
        if path in ("/sign-in", "/oauth2/authorize"):
            self._signed_in(form, is_code=path != "/sign-in" or self.desk.answers_with == "code")
        elif path == "/token":
            self._exchange(form)
        elif path == "/v1/logout" and self._session() is not None:
            self.desk.revoked.add(self.headers["Authorization"].removeprefix("Bearer "))
            self._reply(204, b"")

    # --- the app --------------------------------------------------------------------------------------------

    def _form(self, given: dict[str, str], problem: str = "") -> None:
        if not given.get("cli_callback", "").startswith("http://127.0.0.1:") or not given.get("state"):
            self._reply(400, b"Not a callback on this machine.")  # else this would send tokens to anybody
            return
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(k)}" value="{html.escape(v)}">'
            for k, v in given.items()
            if k in ("cli_callback", "state", "code_challenge", "code_challenge_method")
        )
        page = FORM.format(hidden=hidden, problem=html.escape(problem)).encode()
        self._reply(200, page, **{"Content-Type": "text/html; charset=utf-8"})

    def _signed_in(self, form: dict[str, str], *, is_code: bool) -> None:
        answer: dict[str, str] = {}
        if form.get("choice") == "cancel":
            answer = {"error": "access_denied", "error_description": "The user said no."}
        elif form.get("password") != PASSWORD or "@" not in form.get("email", ""):
            self._form(form, "Wrong e-mail or password.")
            return
        elif is_code and form.get("code_challenge_method") == "S256":
            code = secrets.token_urlsafe(16)
            self.desk.codes[code] = form
            answer = {"code": code, "iss": self.desk.url}
        else:
            answer = {"token": self.desk.token(form["email"])}
        answer = {**answer, "state": form["state"], **self.desk.with_answer}
        self._reply(303, b"", Location=f"{form['cli_callback']}?{urlencode(answer)}")

    # --- the issuer -----------------------------------------------------------------------------------------

    def _exchange(self, form: dict[str, str]) -> None:
        if self.desk.token_answer is not None:
            self._reply(*self.desk.token_answer)
            return
        with self.desk.lock:
            begun = self.desk.codes.pop(form.get("code", ""), None)  # good once
        challenge = encoded(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        problem = (
            "Unknown code."
            if begun is None
            else "Wrong verifier."
            if not secrets.compare_digest(challenge, begun["code_challenge"])
            else "Wrong redirect_uri."
            if form.get("redirect_uri") != self.desk.with_answer.get("redirect_uri", begun["cli_callback"])
            else "Wrong client."
            if form.get("client_id") != CLIENT_ID or form.get("grant_type") != "authorization_code"
            else None
        )
        if problem is not None or begun is None:
            self._json(400, {"error": "invalid_grant", "error_description": problem})
            return
        # As Cognito has it: the e-mail is in the token of identity only.
        access = self.desk.token(begun["email"], shows_email=False)
        identity = self.desk.token(begun["email"], use="id")
        self._json(200, {"access_token": access, "id_token": identity, "expires_in": int(self.desk.lifetime_s)})

    # --- the API --------------------------------------------------------------------------------------------

    def _session(self) -> dict[str, Any] | None:
        claims = self.desk.claims(self.headers.get("Authorization", "").removeprefix("Bearer "))
        if claims is None:
            self._json(401, {"error": {"code": "unauthenticated", "message": "The token is not valid"}})
            return None
        return {"email": "somebody", **claims}

    # --- HTTP -----------------------------------------------------------------------------------------------

    def _asked(self) -> tuple[str, dict[str, str]]:
        url = urlsplit(self.path)
        self.desk.asked.append(f"{self.command} {url.path}")
        return url.path, {k: v[0] for k, v in parse_qs(url.query).items()}

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _json(self, status: int, value: Any) -> None:
        self._reply(status, json.dumps(value).encode(), **{"Content-Type": "application/json"})

    def _reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Cache-Control": "no-store", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""
