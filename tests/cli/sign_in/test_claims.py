"""What a token says of itself, however odd it is; and the proof that goes with a code."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagy_cli.sign_in.claims import Claims, read_claims
from dagy_cli.sign_in.exchange import Proof


def test_the_challenge_is_that_of_rfc_7636() -> None:
    """Its appendix B."""
    proof = Proof("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")

    assert proof.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert proof.parameters["code_challenge_method"] == "S256"


def test_a_verifier_is_new_each_time_and_as_long_as_it_may_be() -> None:
    made = {Proof.make().verifier for _ in range(10)}

    assert len(made) == 10
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43,128}", verifier) for verifier in made)


def jwt(payload: Any) -> str:
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return f"e30.{base64.urlsafe_b64encode(text).rstrip(b'=').decode()}.c2ln"


@pytest.mark.parametrize(
    "token, claims",
    [
        pytest.param(jwt({"exp": 1_800_000_000, "email": "a@b.c"}), Claims(1_800_000_000, "a@b.c"), id="both"),
        pytest.param(jwt({"exp": 1.5, "email": "é@b.c"}), Claims(1.5, "é@b.c"), id="fractions and letters"),
        *[pytest.param(jwt({"exp": value}), Claims(), id=f"exp {value!r}"[:20]) for value in
          (None, True, "1800000000", -1, 0, 1e300, 10**400, float("nan"), float("inf"), [], {})],
        *[pytest.param(jwt({"email": value}), Claims(), id=f"email {value!r}"[:20]) for value in
          (None, 3, ["a@b.c"], "a\x1b[31m", "a\nb", "a" * 300, "\u202ea@b.c", "\ud800")],
        *[pytest.param(jwt(value), Claims(), id=f"payload {value!r}"[:20]) for value in
          ([], "x", 3, None, b"", b"{", b"\xff", b"[" * 100_000, b'{"exp":' + b"9" * 5000 + b"}")],
        *[pytest.param(text, Claims(), id=f"token {text!r}"[:20]) for text in
          ("", "opaque", "a.b", "a.b.c.d", "..", "a.!.c", "a.é.c", "a.b.c" * 1000, "\x00.\x00.\x00")],
    ],
)  # fmt: skip
def test_odd_tokens_tell_nothing_and_break_nothing(token: str, claims: Claims) -> None:
    assert read_claims(token) == claims


@given(st.text(max_size=60) | st.binary(max_size=60).map(jwt))
def test_no_token_breaks_it(token: str) -> None:
    found = read_claims(token)

    assert 0 <= found.expires_at < 1e11
    assert found.email.isprintable()
