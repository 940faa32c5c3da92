"""Whatever is not exactly a token of the stage's own user pool opens nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from dagy_runtime.engine.rs256 import is_signed
from dagy_runtime.ports.people import RsaKey

HOUR_S = 3600


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def other_key() -> Any:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def of_header(pool: Any, claims: dict[str, Any], other: Any) -> Iterator[tuple[str, str]]:
    """Algorithms and keys that the header would have us use."""
    good = {"kid": pool.kid, "alg": "RS256"}
    for alg in ("none", "None", "NONE", "", "HS256", "HS384", "RS384", "RS512", "PS256", "ES256", "EdDSA", "rs256"):
        yield f"alg {alg!r}", pool.token(claims, header={**good, "alg": alg})
    for value in (None, 1, True, ["RS256"], {"RS256": 1}):
        yield f"alg {value!r}", pool.token(claims, header={**good, "alg": value})
        yield f"kid {value!r}", pool.token(claims, header={**good, "kid": value})
    for kid in (
        "",
        "key-2",
        "KEY-1=",
        "key-1",
        "../../etc/passwd",
        "https://evil.example/jwks",
        "' OR 1=1",
        "k" * 5000,
    ):
        yield f"kid {kid[:20]!r}", pool.token(claims, header={**good, "kid": kid})
        yield f"kid {kid[:20]!r}, signed with it", pool.token(claims, header={**good, "kid": kid}, key=other)
    numbers = other.public_key().public_numbers()
    jwk = {"kty": "RSA", "kid": pool.kid, "n": b64(numbers.n.to_bytes(256, "big")), "e": "AQAB"}
    pem = other.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for name, value in {
        "jwk": jwk, "jku": "https://evil.example/jwks.json", "x5u": "https://evil.example/c.pem", "x5c": [b64(pem)],
        "x5t": "abc", "crit": ["exp"], "b64": False, "zip": "DEF", "typ": "JWT", "cty": "JWT", "enc": "A256GCM",
    }.items():  # fmt: skip
        yield f"{name} in the header, signed with its key", pool.token(claims, header={**good, name: value}, key=other)
        yield f"{name} in the header, signed by the pool", pool.token(claims, header={**good, name: value})
    for text in (b"", b"null", b"[]", b'"RS256"', b"{", b"\xff", b'{"alg":"RS256"}', b'{"kid":"key-1="}', b"1e999"):
        yield f"header {text!r}", pool.token(claims, header=text)
    yield "alg twice", pool.token(claims, header=b'{"kid":"key-1=","alg":"none","alg":"RS256"}')
    yield "kid twice", pool.token(claims, header=b'{"kid":"key-2","kid":"key-1=","alg":"RS256"}')


def of_signature(pool: Any, claims: dict[str, Any], other: Any) -> Iterator[tuple[str, str]]:
    good = pool.token(claims)
    head, payload, signature = good.split(".")
    signed = f"{head}.{payload}"
    raw = base64.urlsafe_b64decode(signature + "==")
    yield "signed by somebody else", pool.token(claims, key=other)
    yield "the signature of another token", f"{signed}.{pool.token({**claims, 'sub': 'u-2'}).rpartition('.')[2]}"
    public = pool.private.public_key()
    for encoding, form in (
        (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        (serialization.Encoding.PEM, serialization.PublicFormat.PKCS1),
        (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        (serialization.Encoding.DER, serialization.PublicFormat.PKCS1),
    ):
        secret = public.public_bytes(encoding, form)
        for alg in ("HS256", "RS256"):
            text = f"{b64(json.dumps({'kid': pool.kid, 'alg': alg}).encode())}.{payload}"
            mac = hmac.new(secret, text.encode(), hashlib.sha256).digest()
            yield f"{alg}: an HMAC with the public key as {encoding} {form}", f"{text}.{b64(mac)}"
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    yield "PSS", f"{signed}.{b64(pool.private.sign(signed.encode(), pss, hashes.SHA256()))}"
    for digest in (hashes.SHA1(), hashes.SHA384(), hashes.SHA512()):  # noqa: S303
        made = pool.private.sign(signed.encode(), padding.PKCS1v15(), digest)
        yield f"signed over {digest.name}", f"{signed}.{b64(made)}"
    curve = ec.generate_private_key(ec.SECP256R1())
    yield "an elliptic curve's", f"{signed}.{b64(curve.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))}"
    n, size = pool.public.n, 256
    for name, number in {"0": 0, "1": 1, "n-1": n - 1, "n": n, "all ones": 2**2048 - 1}.items():
        yield f"the number {name}", f"{signed}.{b64(number.to_bytes(size, 'big'))}"
    yield "one n more", f"{signed}.{b64((int.from_bytes(raw, 'big') + n).to_bytes(size + 1, 'big'))}"
    yield "a zero before", f"{signed}.{b64(bytes(1) + raw)}"
    yield "a zero after", f"{signed}.{b64(raw + bytes(1))}"
    yield "cut", f"{signed}.{b64(raw[:-1])}"
    yield "empty", f"{signed}."
    yield "left out", signed
    for bit in range(0, 2048, 97):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit} flipped", f"{signed}.{b64(bytes(flipped))}"


def of_claims(pool: Any, claims: dict[str, Any], other: Any) -> Iterator[tuple[str, str]]:
    """Signed by the pool, and yet not what is asked for."""
    now = claims["iat"]
    values: dict[str, list[Any]] = {
        "iss": ["", "https://evil.example", claims["iss"] + "/", claims["iss"] + "x", claims["iss"].upper(), 1, None,
                [claims["iss"]], claims["iss"].replace("https", "http")],
        "client_id": ["", "another-client", 1, None, [claims["client_id"]]],
        "token_use": ["id", "refresh", "", None, True, ["access"]],
        "exp": [now - 1, now - HOUR_S, 0, -1, None, "9999999999", True, [now + HOUR_S], 1e300, now + 10**9,
                (now + HOUR_S) * 1000],
        "iat": [now + 60, now + HOUR_S, now - 90_000, 0, -5, None, str(now), False],
        "nbf": [now + 60, now + HOUR_S, "soon", True, []],
        "sub": ["", None, 1, [], "a" * 200, "u 1", "u\n1", "u#1", "ü"],
        "origin_jti": ["", 1, [], "x" * 200, "a#b", {"a": 1}],
        "cognito:groups": ["admin", {"admin": True}, [1], [["admin"]], 1],
        "email": [1, ["a@example.com"], True],
    }  # fmt: skip
    for name, options in values.items():
        for value in options:
            changed = {key: v for key, v in {**claims, name: value}.items() if v is not None}
            yield f"{name} is {str(value)[:30]!r}", pool.token(changed)
    identity = {**claims, "token_use": "id", "aud": claims["client_id"]}
    yield "an id token", pool.token(identity)
    yield "an id token without client_id", pool.token({k: v for k, v in identity.items() if k != "client_id"})
    yield "expired while it lasted", pool.token({**claims, "iat": now - 2 * HOUR_S, "exp": now - 31})
    for text in (b"", b"null", b"[]", b"1", b'"x"', b"{}", b"{", b"\xff\xfe", b"NaN", b"[" * 3000):
        yield f"claims {text[:8]!r}", pool.token(text)
    twice = json.dumps(claims)[:-1] + ', "sub": "u-2"}'
    yield "a claim twice", pool.token(twice.encode())
    yield "NaN among the claims", pool.token((json.dumps(claims)[:-1] + ', "x": NaN}').encode())
    yield "huge", pool.token({**claims, "x": "y" * 10_000})


def of_text(pool: Any, claims: dict[str, Any], other: Any) -> Iterator[tuple[str, str]]:
    """Good tokens, written otherwise."""
    good = pool.token(claims)
    head, payload, signature = good.split(".")
    yield from {
        "padded": f"{head}==.{payload}.{signature}",
        "signature padded": f"{good}==",
        "a fourth part": f"{good}.x",
        "a dot before": f".{good}",
        "five parts": f"{head}.{payload}.{signature}.{payload}.{signature}",
        "parts swapped": f"{payload}.{head}.{signature}",
        "a blank inside": f"{head}. {payload}.{signature}",
        "a tab inside": f"{head}.\t{payload}.{signature}",
        "standard base64": f"{head}.{payload}.{signature.replace('-', '+').replace('_', '/')}+",
        "a letter of another alphabet": f"{head}.{payload}.{signature}\u0430".encode().decode("latin-1"),
        "the unused bits set": good[:-1] + chr(ord(good[-1]) + 1) if good[-1] in "AQgw" else good + "A",
        "JSON serialization": json.dumps({"payload": payload, "protected": head, "signature": signature}),
        "twice": f"{good},{good}",
        "with its scheme": f"Bearer {good}",
    }.items()  # fmt: skip
    for length in range(1, len(good), len(good) // 20):
        yield f"the first {length} letters", good[:length]


FORGERIES: tuple[Callable[..., Iterator[tuple[str, str]]], ...] = (of_header, of_signature, of_claims, of_text)


@pytest.mark.parametrize("forge", FORGERIES)
def test_no_forged_token_is_taken(signing_stage: Any, pool: Any, other_key: Any, forge: Any) -> None:
    stage = signing_stage
    claims = pool.claims(stage.clock.now(), **{"cognito:groups": ["admin"]})
    client = type(stage.anonymous())
    assert client(stage.app, pool.token(claims)).get("/v1/whoami").status == 200

    for name, token in forge(pool, claims, other_key):
        reply = client(stage.app, token).get("/v1/whoami")
        assert (reply.status, reply.error["code"]) in ((401, "unauthenticated"), (401, "token_expired")), name
        assert reply.headers["www-authenticate"] == 'Bearer realm="dagy"', name


def test_there_are_more_than_200_of_them(pool: Any, other_key: Any) -> None:
    claims = pool.claims(1_772_625_600.0)
    tokens = [token for forge in FORGERIES for _, token in forge(pool, claims, other_key)]
    assert len(set(tokens)) > 200


@settings(max_examples=60, deadline=None)
@given(message=st.binary(max_size=200), place=st.integers(0, 2047), key_place=st.integers(1, 2046))
def test_signatures_are_what_another_library_makes_of_them(
    pool: Any, message: bytes, place: int, key_place: int
) -> None:
    signature = pool.sign(message)
    flipped = (int.from_bytes(signature, "big") ^ 1 << place).to_bytes(256, "big")

    assert is_signed(message, signature, pool.public)
    assert not is_signed(message + b"!", signature, pool.public)
    assert not is_signed(message, flipped, pool.public)
    assert not is_signed(message, signature, RsaKey(pool.public.n ^ 1 << key_place, pool.public.e))


@pytest.mark.parametrize("key", [RsaKey(15, 3), RsaKey(2**1024 + 1, 65537), RsaKey(2**2048, 65537), RsaKey(0, 0)])
def test_keys_that_prove_nothing_are_not_used(key: RsaKey) -> None:
    assert not is_signed(b"x", b"\x01" * ((key.n.bit_length() + 7) // 8), key)
    assert not is_signed(b"x", b"", key)


def test_small_exponents_are_not_used(pool: Any) -> None:
    """Whose signatures can be made by taking a root."""
    assert not is_signed(b"x", pool.sign(b"x"), RsaKey(pool.public.n, 3))
