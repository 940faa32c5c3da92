"""What every `Answers` promises."""

from __future__ import annotations

import os

import pytest

from dagy.core.errors import Conflict
from dagy_runtime.ports import Begun, Remembered, UnderWay

NOW = 1_772_625_600.0


@pytest.fixture
def begin(world):
    def begun(owner="a", *, key="k", request_hash="r", now=NOW):
        return world.answers.begin(key, request_hash=request_hash, owner=owner, now=now, lease_s=60)

    return begun


def test_the_first_begins_and_others_wait_until_it_is_finished(world, begin):
    assert begin("a") == Begun()
    assert begin("b") == UnderWay()
    world.answers.finish("k", owner="a", status=201, body=b'{"x": 1}')
    assert begin("b") == begin("a") == Remembered(201, b'{"x": 1}')
    assert begin("b", key="other") == Begun()


def test_the_same_owner_begins_again_because_the_reply_may_have_been_lost(begin):
    assert [begin("a"), begin("a")] == [Begun(), Begun()]


def test_a_key_used_for_another_request_is_refused_at_any_time(world, begin):
    begin("a")
    for _ in range(2):
        with pytest.raises(Conflict, match="another request"):
            begin("b", request_hash="other")
        world.answers.finish("k", owner="a", status=200, body=b"")


def test_what_began_and_never_ended_is_taken_over_after_its_lease(world, begin):
    begin("a")
    assert begin("b", now=NOW + 59) == UnderWay()
    assert begin("b", now=NOW + 60) == Begun()
    world.answers.finish("k", owner="a", status=200, body=b"late")
    assert begin("c", now=NOW + 61) == UnderWay()


def test_what_was_given_up_is_taken_at_once_and_what_was_finished_is_not_given_up(world, begin):
    begin("a")
    world.answers.give_up("k", owner="b")
    assert begin("b") == UnderWay()
    world.answers.give_up("k", owner="a")
    assert begin("b") == Begun()
    world.answers.finish("k", owner="b", status=200, body=b"done")
    world.answers.give_up("k", owner="b")
    assert begin("c", now=NOW + 999) == Remembered(200, b"done")


def test_an_answer_that_is_not_to_be_kept_is_remembered_without_it(world, begin):
    begin("a")
    world.answers.finish("k", owner="a", status=201, body=None)
    assert begin("b") == Remembered(201, None)


def test_a_large_answer_is_kept_whole_or_not_at_all(world, begin):
    noise = os.urandom(500_000)
    begin("a")
    world.answers.finish("k", owner="a", status=201, body=noise)
    assert begin("b") in (Remembered(201, noise), Remembered(201, None))


def test_of_64_at_the_same_moment_one_begins(begin, together):
    answers = together(begin, [f"owner-{number}" for number in range(64)])
    assert answers.count(Begun()) == 1 and answers.count(UnderWay()) == 63
