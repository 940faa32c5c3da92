"""People: how soon it counts everywhere that a role, a user or a session was changed; users; logout; the audit log."""

from __future__ import annotations

from typing import Any

import pytest

from dagy.core.errors import Unavailable
from dagy_runtime.adapters.memory import FakeClock, MemoryPublicKeys
from dagy_runtime.api.auditing import action_of, is_audited
from dagy_runtime.api.routes import ROUTES
from dagy_runtime.engine.buckets import Buckets, Rate
from dagy_runtime.engine.key_ring import KeyRing

HOUR_S = 3600
WITHIN_S = 60

# A change here is a change of what the audit log promises.
ACTIONS = """
POST   /logout                                  logout
POST   /flows                                   flows.create
POST   /deployments                             deployments.create
DELETE /deployments/{name}                      deployments.delete
PUT    /deployments/{name}/settings             deployments.settings.change
POST   /deployments/{name}/rollback             deployments.rollback
POST   /runs                                    runs.create
POST   /runs/bulk                               runs.bulk
POST   /runs/cancel                             runs.cancel
POST   /runs/{run_id}/cancel                    runs.cancel
POST   /dead-letters/{letter_id}/replay         dead-letters.replay
POST   /drafts                                  drafts.create
PUT    /drafts/{draft_id}                       drafts.change
DELETE /drafts/{draft_id}                       drafts.delete
POST   /packages                                packages.create
DELETE /packages/{slug}                         packages.delete
POST   /keys                                    keys.create
DELETE /keys/{key_id}                           keys.delete
POST   /users                                   users.create
PUT    /users/{user}/role                       users.role.change
POST   /users/{user}/disable                    users.disable
POST   /users/{user}/enable                     users.enable
DELETE /users/{user}                            users.delete
"""


@pytest.fixture
def stage(signing_stage: Any) -> Any:
    return signing_stage


def invite(stage: Any, email: str = "ann@example.com", role: str = "viewer") -> dict[str, Any]:
    reply = stage.client("admin").post("/v1/users", {"email": email, "role": role, "sends_email": False})
    assert reply.status == 201, reply.body
    made: dict[str, Any] = reply.json()
    return made


# --- who it is ----------------------------------------------------------------------------------------------


def test_a_user_is_known_by_the_address_and_by_the_role_of_the_token(stage: Any, pool: Any) -> None:
    ann = invite(stage)
    who = stage.user(pool, "viewer", "developer", name=ann["id"]).get("/v1/whoami").json()
    assert who == {
        "kind": "user", "id": ann["id"], "name": "ann@example.com", "role": "developer",
        "expires_at": "2026-03-04T13:00:00.000Z", "stage": "test",
    }  # fmt: skip


def test_who_was_made_in_the_pool_itself_is_asked_for_there_once(stage: Any, pool: Any) -> None:
    made = stage.ports.directory.invite("bob@example.com", "viewer", password="x")
    for _ in range(2):
        assert stage.user(pool, "viewer", name=made.id).get("/v1/whoami").json()["name"] == "bob@example.com"
    assert stage.ports.sessions.standing(made.id, "x").email == "bob@example.com"
    assert stage.user(pool, "viewer", name="nobody").get("/v1/whoami").json()["name"] == "nobody"


def test_an_expired_sign_in_is_told_so(stage: Any, pool: Any) -> None:
    client = stage.user(pool, "viewer")
    stage.clock.advance(HOUR_S + 31)
    reply = client.get("/v1/whoami")
    assert reply.status == 401 and reply.error["code"] == "token_expired" and "dagy login" in reply.error["hint"]


def test_without_a_user_pool_tokens_are_nothing(new_stage: Any, pool: Any) -> None:
    from dagy_runtime.api.app import create_app

    stage = new_stage()
    app = create_app(stage.ports, stage="test", version="1")
    client = type(stage.anonymous())(app, pool.token(pool.claims(stage.clock.now())))
    assert client.get("/v1/whoami").status == 401
    assert client.get("/sign-in").status == 404


# --- within 60 seconds everywhere ---------------------------------------------------------------------------


def test_an_ended_session_is_over_here_at_once_and_elsewhere_within_60_s(stage: Any, pool: Any) -> None:
    here = stage.user(pool, "viewer", name="u-1")
    there, other = stage.elsewhere(here), stage.user(pool, "viewer", name="u-1", origin_jti="another-session")
    assert there.get("/v1/whoami").status == 200

    assert here.post("/v1/logout").status == 204

    assert here.get("/v1/whoami").status == 401
    stage.clock.advance(WITHIN_S)
    assert there.get("/v1/whoami").error["message"] == "This sign-in was ended"
    assert other.get("/v1/whoami").status == 200


def test_a_disabled_user_is_out_within_60_s_and_comes_back_only_with_a_new_token(stage: Any, pool: Any) -> None:
    ann = invite(stage, role="admin")
    client = stage.user(pool, "admin", name=ann["id"])
    there = stage.elsewhere(client)
    assert there.get("/v1/keys").status == 200

    for _ in range(2):
        assert stage.client().post(f"/v1/users/{ann['id']}/disable").json()["is_enabled"] is False
    assert client.get("/v1/keys").status == 401
    stage.clock.advance(WITHIN_S)
    assert there.get("/v1/keys").status == 401

    assert stage.client().post("/v1/users/ann@example.com/enable").json()["is_enabled"] is True
    stage.client().put("/v1/users/ann@example.com/role", {"role": "admin"})
    stage.clock.advance(WITHIN_S)
    assert there.get("/v1/keys").status == client.get("/v1/keys").status == 401
    assert stage.user(pool, "admin", name=ann["id"]).get("/v1/keys").status == 200


def test_a_removed_user_is_out_within_60_s_and_the_next_with_that_address_is_somebody_else(
    stage: Any, pool: Any
) -> None:
    ann = invite(stage, role="admin")
    client = stage.user(pool, "admin", name=ann["id"])
    there = stage.elsewhere(client)
    assert there.get("/v1/keys").status == 200

    assert stage.client().delete("/v1/users/ANN@example.com").json()["id"] == ann["id"]
    assert client.get("/v1/keys").status == 401
    assert stage.client().get("/v1/users").json()["items"] == []
    again = invite(stage)
    assert again["id"] != ann["id"]
    stage.clock.advance(WITHIN_S)
    assert there.get("/v1/keys").status == client.get("/v1/keys").status == 401


@pytest.mark.parametrize("before, after, status", [("admin", "viewer", 403), ("viewer", "admin", 200)])
def test_a_new_role_counts_for_old_tokens_within_60_s(
    stage: Any, pool: Any, before: str, after: str, status: int
) -> None:
    ann = invite(stage, role=before)
    client = stage.user(pool, before, name=ann["id"])
    there = stage.elsewhere(client)
    assert (there.get("/v1/keys").status == 200) is (before == "admin")

    assert stage.client().put(f"/v1/users/{ann['id']}/role", {"role": after}).json()["role"] == after

    assert client.get("/v1/keys").status == status
    stage.clock.advance(WITHIN_S)
    assert there.get("/v1/keys").status == status


def test_what_the_pool_says_later_counts_again(stage: Any, pool: Any) -> None:
    ann = invite(stage)
    stage.client().put(f"/v1/users/{ann['id']}/role", {"role": "viewer"})
    stage.clock.advance(WITHIN_S)
    assert stage.user(pool, "admin", name=ann["id"]).get("/v1/whoami").json()["role"] == "admin"


def test_a_revoked_key_is_worth_nothing_everywhere_at_once(stage: Any) -> None:
    client = stage.client("viewer")
    there = stage.elsewhere(client)
    assert there.get("/v1/whoami").status == 200
    stage.client().delete(f"/v1/keys/{client.key.split('_')[1]}")
    assert there.get("/v1/whoami").status == client.get("/v1/whoami").status == 401


# --- users --------------------------------------------------------------------------------------------------


def test_an_invitation_without_email_answers_with_a_password_that_pools_take(stage: Any) -> None:
    made = invite(stage, role="developer")
    password = made.pop("temporary_password")
    assert len(password) >= 12 and password.endswith("-aA1")
    listed = stage.client().get("/v1/users").json()
    assert listed == {"items": [made], "next_cursor": None}
    assert stage.client().get(f"/v1/users/{made['id']}").json() == made
    assert stage.client().get("/v1/users/ANN@example.com").json() == made
    by_mail = stage.client().post("/v1/users", {"email": "bob@example.com"}).json()
    assert by_mail["temporary_password"] is None and by_mail["role"] == "viewer"


@pytest.mark.parametrize(
    "method, path, body, status",
    [
        ("POST", "/users", {"email": "ann@example.com"}, 409),
        ("POST", "/users", {"email": "ann"}, 422),
        ("POST", "/users", {"email": "x@example.com", "role": "boss"}, 422),
        ("POST", "/users", {"email": "x@example.com", "password": "x"}, 422),
        ("PUT", "/users/ann@example.com/role", {"role": "boss"}, 422),
        ("PUT", "/users/nobody@example.com/role", {"role": "admin"}, 404),
        ("POST", "/users/nobody@example.com/disable", None, 404),
        ("POST", "/users/nobody@example.com/enable", None, 404),
        ("DELETE", "/users/nobody@example.com", None, 404),
        ("GET", "/users/nobody@example.com", None, 404),
    ],
)
def test_what_cannot_be_done_to_users_is_refused(stage: Any, method: str, path: str, body: Any, status: int) -> None:
    invite(stage)
    assert stage.client().request(method, f"/v1{path}", json_body=body).status == status
    assert [user["email"] for user in stage.client().get("/v1/users").json()["items"]] == ["ann@example.com"]


def test_nobody_locks_themselves_out(stage: Any, pool: Any) -> None:
    ann = invite(stage, role="admin")
    client = stage.user(pool, "admin", name=ann["id"])
    for user in (ann["id"], "ANN@example.com"):
        assert client.post(f"/v1/users/{user}/disable").status == 409
        assert client.put(f"/v1/users/{user}/role", {"role": "viewer"}).status == 409
        assert client.delete(f"/v1/users/{user}").status == 409
    assert client.get("/v1/users").status == 200


# --- the pool's keys ----------------------------------------------------------------------------------------


def test_unknown_keys_do_not_make_us_ask_the_pool_again_and_again(pool: Any) -> None:
    clock, source = FakeClock(), MemoryPublicKeys({pool.kid: pool.public})
    ring = KeyRing(source, clock)
    assert ring.find(pool.kid) == pool.public
    for number in range(1000):
        assert ring.find(f"unknown-{number}") is None
    assert source.asked == 1

    clock.advance(30)
    source.keys = {**source.keys, "new": pool.public}
    assert ring.find("new") == pool.public and source.asked == 2


def test_when_the_pool_does_not_answer_its_keys_are_good_for_a_day(pool: Any) -> None:
    clock, source = FakeClock(), MemoryPublicKeys({pool.kid: pool.public})
    ring = KeyRing(source, clock)
    assert ring.find(pool.kid)
    source.keys = None
    for _ in range(23):
        clock.advance(HOUR_S)
        assert ring.find(pool.kid) == pool.public
    clock.advance(HOUR_S)
    with pytest.raises(Unavailable):
        ring.find(pool.kid)


def test_a_key_that_the_pool_took_back_is_worth_nothing_after_an_hour(pool: Any) -> None:
    clock, source = FakeClock(), MemoryPublicKeys({pool.kid: pool.public})
    ring = KeyRing(source, clock)
    ring.find(pool.kid)
    source.keys = {"other": pool.public}
    clock.advance(HOUR_S)
    assert ring.find(pool.kid) is None


def test_without_keys_nobody_can_be_judged(new_stage: Any, pool: Any) -> None:
    stage = new_stage()  # its pool does not answer
    reply = stage.user(pool, "admin").get("/v1/whoami")
    assert reply.status == 503 and reply.headers["retry-after"] == "1"
    assert stage.client().get("/v1/whoami").status == 200


# --- rate limits --------------------------------------------------------------------------------------------


def test_who_asks_too_often_waits_and_nobody_else_does(new_stage: Any, pool: Any) -> None:
    stage = new_stage(rate=Rate(5, 10), public_keys=MemoryPublicKeys({pool.kid: pool.public}))
    noisy, healthy = stage.client("viewer"), [stage.client("admin"), stage.user(pool, "viewer")]
    statuses = [noisy.get("/v1/whoami").status for _ in range(100)]
    assert statuses == [200] * 10 + [429] * 90

    reply = noisy.post("/v1/runs")
    assert reply.status == 429 and reply.error["code"] == "too_many_requests" and reply.headers["retry-after"] == "1"
    for client in healthy:
        assert client.get("/v1/whoami").status == 200
    stage.clock.advance(1)
    assert [noisy.get("/v1/whoami").status for _ in range(6)] == [200] * 5 + [429]


def test_a_bucket_that_is_asked_late_holds_no_more_than_a_burst_and_a_clock_that_goes_back_takes_nothing() -> None:
    buckets = Buckets(Rate(0.5, 2))
    assert [buckets.take("a", now=now) for now in (0, 0, 0, 1)] == [None, None, 2.0, 1.0]
    assert buckets.take("a", now=1e9) is None and buckets.take("a", now=0) is None
    assert buckets.take("a", now=0) == 2.0
    assert buckets.take("b", now=0) is None


# --- the audit log ------------------------------------------------------------------------------------------


def test_whatever_changes_something_is_audited_as_this() -> None:
    found = [f"{r.method} {r.path} {action_of(r.method, r.path)}" for r in ROUTES if is_audited(r.method)]
    assert found == [" ".join(line.split()) for line in ACTIONS.split("\n") if line]
    assert {r.method for r in ROUTES if not is_audited(r.method)} == {"GET"}


def test_who_changed_what_is_told_newest_first(deployed: Any, pool: Any) -> None:
    stage = deployed
    client = stage.client("developer")
    run = client.post("/v1/runs", {"deployment": "daily"}).json()["run_id"]
    client.put("/v1/deployments/daily/settings", {"status": "PAUSED"})
    client.delete("/v1/deployments/daily")
    client.delete("/v1/deployments/daily")  # refused: it is gone
    client.get("/v1/flows")
    made = stage.client().post("/v1/keys", {"name": "ci"}).json()

    entries = stage.client().get("/v1/audit").json()["items"]

    assert [(entry["actor_name"], entry["action"], entry["resource"]) for entry in entries] == [
        ("admin key", "keys.create", f"keys/{made['id']}"),
        ("developer key", "deployments.delete", "deployments/daily"),
        ("developer key", "deployments.settings.change", "deployments/daily"),
        ("developer key", "runs.create", f"runs/{run}"),
        ("developer key", "deployments.create", "deployments/daily"),
        ("developer key", "flows.create", "flows/etl/1.0"),
    ]
    assert entries[0]["actor_kind"] == "key" and entries[0]["actor_id"] == stage.texts["admin"].split("_")[1]


def test_the_audit_log_is_filtered_paged_and_holds_no_secret(stage: Any, pool: Any) -> None:
    password = invite(stage)["temporary_password"]
    key = stage.client().post("/v1/keys", {"name": "ci"}).json()["key"]
    stage.user(pool, "admin", name="u-1").put("/v1/users/ann@example.com/role", {"role": "admin"})
    admin = stage.client()

    def actions(**query: str) -> list[str]:
        return [entry["action"] for entry in admin.get("/v1/audit", query=query).json()["items"]]

    assert actions(actor="u-1") == ["users.role.change"]
    assert actions(resource="users") == ["users.role.change", "users.create"]
    assert actions(resource="users/ann@example.com") == ["users.role.change", "users.create"]
    first = admin.get("/v1/audit", query={"limit": 2}).json()
    assert len(first["items"]) == 2
    rest = admin.get("/v1/audit", query={"cursor": first["next_cursor"]}).json()
    assert [entry["action"] for entry in rest["items"]] == ["users.create"] and rest["next_cursor"] is None
    whole = admin.get("/v1/audit").body.decode()
    assert password not in whole and key not in whole and key.split("_")[2] not in whole


class Broken:
    def append(self, entry: Any) -> None:
        raise Unavailable("The table did not answer")


def test_what_was_done_is_not_told_as_undone_when_the_log_does_not_answer(
    new_stage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stage = new_stage(audit=Broken())
    reply = stage.client().post("/v1/keys", {"name": "ci"})
    assert reply.status == 201
    assert "is missing in the audit log: keys.create" in caplog.text
