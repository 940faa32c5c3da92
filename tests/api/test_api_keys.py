"""API keys: what they are made of, who gets in with one, and what is told to those who do not."""

from __future__ import annotations

import hashlib
import logging
import re
from typing import Any

import pytest

from dagy.core.errors import Conflict, InvalidInput, KeyExpired, Unauthenticated
from dagy_runtime.adapters.memory import FakeClock, world
from dagy_runtime.engine.keys import authenticate, mint_key
from dagy_runtime.ports import Ports
from dagy_runtime.values import ApiKey, Role

DAY_S = 86_400


def minted(ports: Ports, **changes: Any) -> tuple[ApiKey, str]:
    wanted: dict[str, Any] = {
        "name": "ci",
        "role": Role.DEVELOPER,
        "expires_in_days": 90,
        "created_by": "iam",
        **changes,
    }
    return mint_key(ports.keys, ports.clock, ports.ids, **wanted)


def test_a_key_is_its_id_and_256_bits_of_chance() -> None:
    ports = world()
    key, text = minted(ports)
    shape = re.fullmatch(r"dgy_([A-Za-z0-9]{12,})_([A-Za-z0-9_\-]{43})", text)
    assert shape and shape[1] == key.id
    assert key.expires_at == "2026-06-02T12:00:00.000Z"


def test_only_the_secrets_hash_is_stored() -> None:
    ports = world()
    key, text = minted(ports)
    secret = text.split("_", 2)[2]
    stored = ports.keys.get_key(key.id)
    assert stored is not None and stored.secret_sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in repr(stored)


def test_its_text_opens_the_door() -> None:
    ports = world()
    key, text = minted(ports)
    assert authenticate(ports.keys, ports.clock, text) == key


@pytest.mark.parametrize("secret", ["_" * 43, "-_" * 21 + "A", "a_b-" * 10 + "abc"])
def test_a_secret_may_hold_underscores(secret: str) -> None:
    class Chosen:
        def unique(self) -> str:
            return "01ARZ3NDEKTSV4RRFFQ69G5FAV"

        def secret(self) -> str:
            return secret

    ports = world(ids=Chosen())
    key, text = minted(ports)
    assert authenticate(ports.keys, ports.clock, text).id == key.id


def test_what_is_wrong_with_a_key_is_not_told() -> None:
    ports = world()
    key, text = minted(ports)
    revoked, revoked_text = minted(ports)
    ports.keys.revoke_key(revoked.id, at="2026-03-04T12:00:00.000Z")
    secret = text.split("_", 2)[2]
    wrong = [
        "",
        "dgy_",
        "Bearer",
        "x" * 10_000,
        secret,
        text[:-1],
        text + "A",
        text.upper(),
        f"dgy_{key.id}_{'A' * 43}",
        f"dgy_{'0' * 26}_{secret}",
        f"dgy_{key.id}_",
        f"dgy__{secret}",
        f"dgy_../../etc_{secret}",
        f"{text}\n",
        f"dgy_{key.id}_{secret[:-1]}é",
        revoked_text,
    ]
    told = set()
    for attempt in wrong:
        with pytest.raises(Unauthenticated) as refused:
            authenticate(ports.keys, ports.clock, attempt)
        assert type(refused.value) is Unauthenticated, attempt
        told.add((str(refused.value), refused.value.hint))
    assert len(told) == 1


def test_an_expired_key_is_told_so_with_the_way_out_but_only_to_who_holds_it() -> None:
    clock = FakeClock()
    ports = world(clock=clock)
    key, text = minted(ports, expires_in_days=1)
    clock.advance(DAY_S - 1)
    assert authenticate(ports.keys, clock, text) == key
    clock.advance(1)
    with pytest.raises(KeyExpired, match=r"'ci' expired at 2026-03-05T12:00:00\.000Z") as refused:
        authenticate(ports.keys, clock, text)
    assert "dagy keys create" in (refused.value.hint or "")
    with pytest.raises(Unauthenticated) as guessed:
        authenticate(ports.keys, clock, f"dgy_{key.id}_{'A' * 43}")
    assert not isinstance(guessed.value, KeyExpired)


def test_a_key_without_expiry_stays_good() -> None:
    clock = FakeClock()
    ports = world(clock=clock)
    key, text = minted(ports, expires_in_days=None)
    clock.advance(3650 * DAY_S)
    assert authenticate(ports.keys, clock, text).id == key.id


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"name": ""}, id="no name"),
        pytest.param({"name": "  "}, id="a name of spaces"),
        pytest.param({"name": "x" * 101}, id="a long name"),
        pytest.param({"name": "a\nb"}, id="a name with a line break"),
        pytest.param({"expires_in_days": 0}, id="expiring at once"),
        pytest.param({"expires_in_days": -1}, id="expired already"),
        pytest.param({"expires_in_days": 3651}, id="beyond ten years"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(changes: dict[str, Any]) -> None:
    ports = world()
    with pytest.raises(InvalidInput):
        minted(ports, **changes)
    assert ports.keys.list_keys(limit=10).items == ()


def test_two_keys_never_share_an_id() -> None:
    ports = world()
    key, _ = minted(ports)
    with pytest.raises(Conflict):
        ports.keys.put_key(key)


# --- over HTTP ----------------------------------------------------------------------------------------------


def test_a_key_is_accepted_in_either_header(stage: Any) -> None:
    text = stage.key("viewer")
    for headers in ({"Authorization": f"Bearer {text}"}, {"authorization": f"bearer  {text} "}, {"X-Api-Key": text}):
        assert stage.anonymous().get("/v1/whoami", headers=headers).status == 200, headers


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Digest x", "dgy_1_2"])
def test_other_ways_to_authorize_are_refused_with_the_right_one(stage: Any, header: str) -> None:
    reply = stage.anonymous().get("/v1/whoami", headers={"Authorization": header})
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert "Authorization: Bearer" in reply.error["hint"]


def test_whoami_shows_the_key_without_its_secret(stage: Any) -> None:
    reply = stage.client("developer").get("/v1/whoami")
    assert reply.status == 200
    shown = reply.json()
    assert {k: shown[k] for k in ("kind", "name", "role", "stage", "expires_at")} == {
        "kind": "key",
        "name": "developer key",
        "role": "developer",
        "stage": "test",
        "expires_at": "2026-06-02T12:00:00.000Z",
    }


def test_an_admin_makes_lists_and_revokes_keys(stage: Any) -> None:
    admin = stage.client("admin")
    made = admin.post("/v1/keys", {"name": "ci", "role": "developer", "expires_in_days": 7})
    assert made.status == 201
    text = made.json()["key"]
    from_ci = {"Authorization": f"Bearer {text}"}
    assert stage.anonymous().get("/v1/whoami", headers=from_ci).json()["name"] == "ci"

    listed = admin.get("/v1/keys")
    assert [key["name"] for key in listed.json()["items"]] == ["ci", "admin key"]
    assert text.encode() not in listed.body and b"secret" not in listed.body

    revoked = admin.delete(f"/v1/keys/{made.json()['id']}")
    assert revoked.status == 200 and revoked.json()["revoked_at"] and revoked.json()["warning"] is None
    assert stage.anonymous().get("/v1/whoami", headers=from_ci).status == 401


def test_revoking_twice_keeps_the_first_time(stage: Any) -> None:
    admin = stage.client("admin")
    key_id = admin.post("/v1/keys", {"name": "ci"}).json()["id"]
    first = admin.delete(f"/v1/keys/{key_id}").json()["revoked_at"]
    stage.clock.advance(60)
    assert admin.delete(f"/v1/keys/{key_id}").json()["revoked_at"] == first


def test_who_revokes_the_last_admin_key_is_told_how_to_get_another(stage: Any) -> None:
    admin = stage.client("admin")
    stage.key("admin", name="expired", days=1)
    stage.clock.advance(2 * DAY_S)
    other = admin.post("/v1/keys", {"name": "other", "role": "admin"}).json()["id"]
    assert admin.delete(f"/v1/keys/{other}").json()["warning"] is None
    own = admin.get("/v1/whoami").json()["id"]
    assert "--via-aws" in admin.delete(f"/v1/keys/{own}").json()["warning"]
    assert admin.get("/v1/keys").status == 401


def test_a_key_has_no_session_to_end_and_stays_good(stage: Any) -> None:
    client = stage.client("viewer")

    reply = client.post("/v1/logout")

    key_id = stage.texts["viewer"].split("_")[1]
    assert reply.status == 409 and reply.error["code"] == "conflict"
    assert reply.error["hint"] == f"To make it worthless: dagy keys revoke {key_id}"
    assert client.get("/v1/whoami").status == 200


def test_an_expired_key_gets_401_and_the_way_out(stage: Any) -> None:
    client = stage.client("developer")
    stage.clock.advance(91 * DAY_S)
    reply = client.get("/v1/runs")
    assert reply.status == 401 and reply.error["code"] == "key_expired"
    assert "dagy keys create" in reply.error["hint"]


def test_a_keys_text_is_in_no_log_and_no_error(stage: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    admin = stage.client("admin")
    made = admin.post("/v1/keys", {"name": "ci"}).json()["key"]
    replies = [
        stage.anonymous().get("/v1/runs", headers={"Authorization": f"Bearer {text}"})
        for text in (made + "x", made[:-3], f"Basic {made}", made.upper())
    ]
    replies.append(stage.anonymous().get("/v1/flows/x/y", headers={"X-Api-Key": made + "!"}))
    secret = made.split("_", 2)[2]
    for reply in replies:
        assert reply.status == 401 and secret[:20].lower().encode() not in reply.body.lower()
    assert secret[:20].lower() not in caplog.text.lower()
