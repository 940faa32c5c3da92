"""What every `Keys` promises."""

from __future__ import annotations

import pytest

from dagy.core.errors import Conflict
from dagy_runtime.values import Role


def test_what_was_put_is_got_as_it_was(world, make):
    key = make.key("k1", name="größe", role=Role.ADMIN, expires_at=make.at(99))
    world.keys.put_key(key)
    assert world.keys.get_key("k1") == key
    assert isinstance(world.keys.get_key("k1").role, Role)
    assert world.keys.get_key("k2") is None


def test_a_second_key_of_the_same_id_is_refused_and_the_first_stays(world, make):
    world.keys.put_key(make.key("k1"))
    with pytest.raises(Conflict, match="k1"):
        world.keys.put_key(make.key("k1", name="other"))
    assert world.keys.get_key("k1") == make.key("k1")


def test_of_16_keys_of_one_id_exactly_one_is_stored(world, make, together):
    def put(number):
        try:
            world.keys.put_key(make.key("k1", name=str(number)))
        except Conflict:
            return None
        return str(number)

    assert [name for name in together(put, list(range(16))) if name] == [world.keys.get_key("k1").name]


def test_keys_are_listed_newest_first_revoked_ones_too(world, make, drain):
    for number in (2, 1, 3):
        world.keys.put_key(make.key(f"k{number}", seconds=number))
    world.keys.revoke_key("k2", at=make.at(9))
    for limit in (1, 2, 9):
        listed = drain(world.keys.list_keys, limit=limit)
        assert [(key.id, key.revoked_at) for key in listed] == [("k3", None), ("k2", make.at(9)), ("k1", None)]


def test_the_first_revocations_time_stays(world, make):
    world.keys.put_key(make.key("k1"))
    first = world.keys.revoke_key("k1", at=make.at(1))
    assert first.revoked_at == make.at(1)
    assert world.keys.revoke_key("k1", at=make.at(2)) == first == world.keys.get_key("k1")


def test_revoking_one_that_is_not_there_is_none_and_makes_none(world, make):
    assert world.keys.revoke_key("nobody", at=make.at(1)) is None
    assert world.keys.get_key("nobody") is None
    assert world.keys.list_keys(limit=9).items == ()
