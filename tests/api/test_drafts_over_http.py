"""Drafts of pipelines: kept, changed, listed, deleted."""

from __future__ import annotations

from typing import Any

import pytest

CANVAS = '{"nodes": [{"id": "load", "x": 10}], "edges": []}'
DRAFT = {"name": "My Draft Pipeline", "canvas_json": CANVAS, "tags": {"project": "migration", "status": "wip"}}


def create(stage: Any, **more: Any) -> Any:
    return stage.client("developer").post("/v1/drafts", {**DRAFT, **more})


def test_a_draft_is_kept_as_it_was_given(stage: Any) -> None:
    made = create(stage)
    assert made.status == 201 and made.headers["etag"] == '"1"'
    by = stage.texts["developer"].split("_")[1]
    at = "2026-03-04T12:00:00.000Z"
    assert made.json() == {
        **DRAFT,
        "draft_id": made.json()["draft_id"],
        "version": 1,
        "created_at": at,
        "updated_at": at,
        "created_by": by,
        "updated_by": by,
    }
    assert stage.client("viewer").get(f"/v1/drafts/{made.json()['draft_id']}").json() == made.json()


def test_a_change_leaves_what_it_does_not_name(stage: Any) -> None:
    path = f"/v1/drafts/{create(stage).json()['draft_id']}"
    stage.clock.advance(60)
    changed = stage.client("developer").put(path, {"name": "Renamed"}).json()
    assert (changed["name"], changed["canvas_json"], changed["tags"]) == ("Renamed", CANVAS, DRAFT["tags"])
    assert (changed["version"], changed["updated_at"]) == (2, "2026-03-04T12:01:00.000Z")
    assert stage.client("developer").put(path, {"tags": {}, "canvas_json": "[]"}).json()["tags"] == {}


@pytest.mark.parametrize("how", ["etag", "body"])
def test_a_change_on_top_of_an_unseen_one_is_refused(stage: Any, how: str) -> None:
    path = f"/v1/drafts/{create(stage).json()['draft_id']}"
    stage.client("developer").put(path, {"name": "Theirs"})
    headers, body = ({"If-Match": '"1"'}, {}) if how == "etag" else ({}, {"version": 1})
    late = stage.client("developer").put(path, {"name": "Mine", **body}, headers=headers)
    assert late.status == (412 if how == "etag" else 409) and "at version 2" in late.error["message"]
    assert stage.client("viewer").get(path).json()["name"] == "Theirs"


def test_drafts_are_listed_newest_first_by_tag_without_their_canvases(stage: Any) -> None:
    for name, tags in [("a", {"env": "dev"}), ("b", {"env": "prod", "team": "x"}), ("c", {"env": "prod"})]:
        create(stage, name=name, tags=tags)
        stage.clock.advance(1)
    client = stage.client("viewer")
    everything = client.get("/v1/drafts").json()["items"]
    assert [item["name"] for item in everything] == ["c", "b", "a"] and "canvas_json" not in everything[0]
    assert [item["name"] for item in client.get("/v1/drafts", query={"tag": "env:prod"}).json()["items"]] == ["c", "b"]
    both = client.get("/v1/drafts", query={"tag": ["env:prod", "team:x"]}).json()["items"]
    assert [item["name"] for item in both] == ["b"]


def test_a_deleted_draft_is_gone(stage: Any) -> None:
    path = f"/v1/drafts/{create(stage).json()['draft_id']}"
    client = stage.client("developer")
    assert client.delete(path).status == 204
    assert [client.get(path).status, client.delete(path).status, client.put(path, {}).status] == [404, 404, 404]
    assert client.get("/v1/drafts").json()["items"] == []


@pytest.mark.parametrize(
    "change, words",
    [
        pytest.param({"name": ""}, "draft name", id="no name"),
        pytest.param({"name": "x" * 201}, "draft name", id="a name too long"),
        pytest.param({"name": "a\nb"}, "draft name", id="a name of two lines"),
        pytest.param({"canvas_json": "{"}, "not JSON", id="a canvas that is no JSON"),
        pytest.param({"canvas_json": '{"a": NaN}'}, "NaN", id="a canvas with NaN"),
        pytest.param({"canvas_json": "[" * 99 + "]" * 99}, "deeper", id="a canvas too deep"),
        pytest.param({"tags": {f"k{n}": "v" for n in range(51)}}, "51 tags", id="51 tags"),
        pytest.param({"colour": "red"}, "unknown field `colour`", id="an unknown field"),
    ],
)
def test_what_is_wrong_with_a_draft_is_said(stage: Any, change: dict[str, Any], words: str) -> None:
    refused = create(stage, **change)
    assert refused.status == 422 and words in refused.error["message"]


def test_fifty_tags_and_a_name_of_200_characters_are_taken(stage: Any) -> None:
    assert create(stage, name="x" * 200, tags={f"k{n}": "v" for n in range(50)}).status == 201
