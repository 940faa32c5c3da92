"""What every `Directory`, `Sessions` and `AuditLog` promises."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dagy.core.errors import Conflict, InvalidInput
from dagy.core.timestamps import to_iso
from dagy_runtime.adapters import memory
from dagy_runtime.ports.people import AuditEntry, Ruling, Standing, highest_role
from dagy_runtime.values import Role


@pytest.fixture
def world(world_factory):
    return world_factory() if world_factory is memory.world else world_factory(with_pool=True)


PASSWORD = "Temporary-password-1"


def invite(world, email, role=Role.VIEWER):
    return world.directory.invite(email, role, password=PASSWORD)


# --- directory ----------------------------------------------------------------------------------------------


def test_who_was_invited_is_found_by_id_and_by_address(world):
    made = invite(world, "ann@example.com", Role.DEVELOPER)
    assert (made.email, made.role, made.is_enabled) == ("ann@example.com", Role.DEVELOPER, True)
    assert made.status == "FORCE_CHANGE_PASSWORD"
    for user in (made.id, "ann@example.com"):
        found = world.directory.get(user)
        assert (found.id, found.email, found.role) == (made.id, made.email, made.role)
    assert world.directory.get("nobody@example.com") is None


def test_there_is_one_user_with_an_address(world):
    invite(world, "ann@example.com")
    with pytest.raises(Conflict, match="ann@example"):
        invite(world, "ann@example.com", Role.ADMIN)
    assert world.directory.get("ann@example.com").role is Role.VIEWER


@pytest.mark.parametrize(
    "email", ["", "ann", "ann@", "@example.com", "a b@example.com", "ann@example", "a@b.c\n", "x" * 300]
)
def test_what_is_no_address_is_refused(world, email):
    with pytest.raises(InvalidInput):
        invite(world, email)


@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_one_group_whatever_it_was_before(world, role):
    made = invite(world, "ann@example.com", Role.DEVELOPER)
    for _ in range(2):
        assert world.directory.set_role("ann@example.com", role).role is role
    assert world.directory.set_role(made.id, role).role is role
    assert world.directory.get(made.id).role is role


def test_a_user_is_disabled_and_enabled_and_a_repeat_changes_nothing(world):
    made = invite(world, "ann@example.com")
    for is_enabled in (False, False, True, True):
        assert world.directory.set_enabled(made.id, is_enabled).is_enabled is is_enabled
        assert world.directory.get(made.id).is_enabled is is_enabled


def test_who_was_removed_is_gone_and_the_next_with_that_address_is_somebody_else(world):
    made = invite(world, "ann@example.com", Role.ADMIN)
    assert world.directory.remove("ann@example.com").id == made.id
    assert world.directory.get(made.id) is None and world.directory.remove(made.id) is None
    again = invite(world, "ann@example.com")
    assert (again.id, again.role) != (made.id, Role.ADMIN) and again.id != made.id


def test_nobody_is_changed_who_is_not_there(world):
    assert world.directory.remove("nobody@example.com") is None
    assert world.directory.set_role("nobody@example.com", Role.ADMIN) is None
    assert world.directory.set_enabled("nobody@example.com", False) is None


def test_users_are_listed_page_by_page_each_once(world, drain):
    made = {invite(world, f"user{number}@example.com", list(Role)[number % 3]).id for number in range(5)}
    for limit in (2, 60):
        listed = drain(world.directory.list_users, limit=limit)
        assert len(listed) == 5 and {user.id for user in listed} == made
        assert {user.email: user.role for user in listed}["user2@example.com"] is Role.ADMIN


def test_the_highest_of_several_groups_counts():
    assert highest_role(["viewer", "admin", "developer", "boss"]) is Role.ADMIN
    assert highest_role(["boss"]) is None and highest_role([]) is None


# --- sessions -----------------------------------------------------------------------------------------------


def test_of_a_stranger_nothing_is_known(world):
    assert world.sessions.standing("u-1", "s-1") == Standing()


def test_what_is_known_of_a_user_comes_together_in_any_order(world):
    world.sessions.rule("u-1", Ruling(Role.ADMIN, 1_000.5))
    world.sessions.remember("u-1", "ann@example.com")
    world.sessions.void("u-1", at=900.25)
    world.sessions.rule("u-1", Ruling(Role.VIEWER, 1_001.5))
    assert world.sessions.standing("u-1", "s-1") == Standing(
        "ann@example.com", Ruling(Role.VIEWER, 1_001.5), 900.25, is_ended=False
    )
    assert world.sessions.standing("u-2", "s-1") == Standing()


def test_a_session_ends_for_ever_and_no_other_does(world):
    world.sessions.end("s-1", until=4_000_000_000.5)
    world.sessions.end("s-1", until=4_000_000_000.5)
    assert world.sessions.standing("u-1", "s-1").is_ended
    assert world.sessions.standing("u-2", "s-1").is_ended
    assert not world.sessions.standing("u-1", "s-2").is_ended


# --- audit log ----------------------------------------------------------------------------------------------


@pytest.fixture
def entry(world):
    def make(number, **changes):
        id = f"{number:026d}"
        given = {
            "at": "2026-03-04T12:00:00.000Z", "actor_kind": "user", "actor_id": "u-1", "actor_name": "ann@example.com",
            "action": "deployments.delete", "resource": "deployments/daily", "request_id": "r-1",
        }  # fmt: skip
        return AuditEntry(id=id, **{**given, **changes})

    return make


@pytest.fixture
def today(world):
    return to_iso(world.clock.now())


def test_entries_are_listed_newest_first_over_months_and_repeats_change_nothing(world, entry, today, drain):
    year = int(today[:4])
    months = [f"{year - 1}-{month:02d}-28T00:00:00.000Z" for month in (11, 12)] + [today]
    entries = [entry(number, at=at) for number, at in enumerate([*months[:2], *months[1:], months[2]])]
    entries.sort(key=lambda one: (one.at[:7], one.id))
    for one in [*entries, *entries]:
        world.audit.append(one)
    for limit in (1, 2, 50):
        assert drain(world.audit.list_entries, limit=limit) == entries[::-1]


def test_entries_are_found_by_actor_and_by_resource(world, entry, today, drain):
    entries = [
        entry(1, at=today),
        entry(2, at=today, actor_id="u-2", actor_name="bob@example.com"),
        entry(3, at=today, resource="deployments/daily/x"),
        entry(4, at=today, resource="deployments/daily2"),
        entry(5, at=today, resource="runs/r-1", actor_kind="key", actor_id="k1", actor_name="ci"),
    ]
    for one in entries:
        world.audit.append(one)

    def found(**where):
        listed = [drain(world.audit.list_entries, limit=limit, **where) for limit in (1, 2, 50)]
        assert listed[0] == listed[1] == listed[2]
        return [int(one.id) for one in listed[0]]

    assert found(actor="u-1") == found(actor="ann@example.com") == [4, 3, 1]
    assert found(actor="ci") == found(actor="k1") == found(resource="runs") == [5]
    assert found(resource="deployments/daily") == [3, 2, 1]
    assert found(resource="deployments", actor="u-2") == [2]
    assert found(actor="nobody") == []


def test_a_cursor_belongs_to_its_list(world, entry, today):
    for number in range(3):
        world.audit.append(entry(number, at=today))
    cursor = world.audit.list_entries(limit=1).cursor
    with pytest.raises(InvalidInput):
        world.audit.list_entries(limit=1, cursor=cursor, actor="u-1")
    with pytest.raises(InvalidInput):
        world.directory.list_users(limit=1, cursor=cursor)


def test_the_first_of_two_entries_of_one_id_stays(world, entry, today):
    world.audit.append(entry(1, at=today))
    world.audit.append(entry(1, at=today))
    assert world.audit.list_entries(limit=9).items == (replace(entry(1), at=today),)
