"""What every `Drafts` promises."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from dagy.core.errors import Conflict
from dagy_runtime.values import Draft


@pytest.fixture
def draft(make):
    def made(id="d1", *, seconds=0, **changes):
        at = make.at(seconds)
        given = {"name": "one", "canvas_json": "{}", "tags": {}, "version": 0, "created_at": at, "updated_at": at}
        return Draft(id=id, **{**given, "created_by": "ann", "updated_by": "ann", **changes})

    return made


def test_what_was_put_is_got_as_it_was_with_version_one(world, draft):
    given = draft(canvas_json=json.dumps({"text": "ünï ☃", "big": "x" * 400_000}), tags={"a": "b"})
    stored = world.drafts.put_draft(given, expected_version=0)
    assert stored == replace(given, version=1) == world.drafts.get_draft("d1")
    assert world.drafts.get_draft("d2") is None


def test_a_put_on_top_of_an_unseen_change_is_refused_and_changes_nothing(world, draft):
    for expected in (0, 1):
        world.drafts.put_draft(draft(name=f"n{expected}"), expected_version=expected)
    for seen in (0, 1, 3):
        with pytest.raises(Conflict, match=f"at version 2, not {seen}"):
            world.drafts.put_draft(draft(name="late", canvas_json="[]"), expected_version=seen)
    stands = world.drafts.get_draft("d1")
    assert (stands.name, stands.canvas_json, stands.version) == ("n1", "{}", 2)
    with pytest.raises(Conflict, match="at version 0, not 2"):
        world.drafts.put_draft(draft("d9"), expected_version=2)


def test_of_16_changes_to_one_version_exactly_one_is_taken(world, draft, together):
    def put(number):
        try:
            return world.drafts.put_draft(draft(canvas_json=str(number)), expected_version=0)
        except Conflict:
            return None

    assert [answer for answer in together(put, list(range(16))) if answer] == [world.drafts.get_draft("d1")]


def test_drafts_are_listed_newest_first_by_tags_without_canvas(world, draft, drain):
    for number in range(5):
        tags = {"even": str(number % 2 == 0), "n": str(number)}
        world.drafts.put_draft(draft(f"d{number}", seconds=number, tags=tags), expected_version=0)
    world.drafts.put_draft(draft("d3", seconds=3, tags={"even": "no longer"}), expected_version=1)
    for limit in (1, 2, 10):
        listed = drain(world.drafts.list_drafts, limit=limit)
        assert [(one.id, one.canvas_json) for one in listed] == [(f"d{n}", None) for n in (4, 3, 2, 1, 0)]
        even = drain(world.drafts.list_drafts, limit=limit, tags={"even": "True"})
        assert [one.id for one in even] == ["d4", "d2", "d0"]
        assert [one.id for one in drain(world.drafts.list_drafts, limit=limit, tags={"even": "True", "n": "2"})] == [
            "d2"
        ]


def test_deleting_says_whether_it_was_there(world, draft):
    world.drafts.put_draft(draft(), expected_version=0)
    assert [world.drafts.delete_draft("d1"), world.drafts.delete_draft("d1")] == [True, False]
    assert world.drafts.get_draft("d1") is None and world.drafts.list_drafts(limit=9).items == ()
