"""What every `Blobs` promises."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dagy.core.errors import InvalidInput, NotFound


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 10, b"x" * 3_000_000], ids=["nothing", "bytes", "3 MB"])
def test_what_was_put_is_got_and_replaced(world, data):
    world.blobs.put("a/ä ☃+%.bin", b"before")
    world.blobs.put("a/ä ☃+%.bin", data, content_type="text/plain")
    assert world.blobs.get("a/ä ☃+%.bin") == data


def test_what_is_not_there_is_not_found(world, tmp_path):
    with pytest.raises(NotFound, match="nothing/here"):
        world.blobs.get("nothing/here")
    with pytest.raises(NotFound, match="nothing/here"):
        world.blobs.get_file("nothing/here", tmp_path / "f")
    world.blobs.put("here", b"")
    with pytest.raises(NotFound, match="here"):
        world.blobs.get("here", version_id="no-such-version")
    with pytest.raises(NotFound, match="here"):
        world.blobs.get_file("here", tmp_path / "f", version_id="no-such-version")


def test_what_can_be_got_exists_in_that_very_version(world):
    world.blobs.put("here", b"x")
    version = world.blobs.find_artifact(world.blobs.bucket, "here", None).version_id
    assert world.blobs.exists("here")
    assert world.blobs.exists("here", version_id=version)
    assert not world.blobs.exists("here", version_id="no-such-version")
    assert not world.blobs.exists("nothing/here")


def test_files_go_in_and_come_out_whole(world, tmp_path):
    data = bytes(range(256)) * 12_000
    (tmp_path / "in").write_bytes(data)
    (tmp_path / "out").write_bytes(b"before")
    world.blobs.put_file("big", tmp_path / "in")
    assert world.blobs.get_file("big", tmp_path / "out") == sha256(data)
    assert (tmp_path / "out").read_bytes() == data == world.blobs.get("big")
    assert world.blobs.find_artifact(world.blobs.bucket, "big", None).sha256 == sha256(data)


def test_while_a_file_is_on_its_way_the_caller_is_called_for_each_mebibyte(world, tmp_path):
    (tmp_path / "in").write_bytes(bytes(4 * 2**20))
    put, got = [], []
    world.blobs.put_file("big", tmp_path / "in", pulse=lambda: put.append(1))
    world.blobs.get_file("big", tmp_path / "out", pulse=lambda: got.append(1))
    assert len(put) >= 4
    assert len(got) >= 4


def test_a_file_that_cannot_be_written_is_the_systems_own_error(world, tmp_path):
    world.blobs.put("here", b"x")
    with pytest.raises(OSError, match="No space left"):
        world.blobs.get_file("here", Path("/dev/full"))
    with pytest.raises(FileNotFoundError):
        world.blobs.get_file("here", tmp_path / "no" / "folder")


def test_an_older_version_is_still_there(world, tmp_path):
    world.blobs.put("k", b"one")
    first = world.blobs.find_artifact(world.blobs.bucket, "k", None)
    world.blobs.put("k", b"three")
    second = world.blobs.find_artifact(world.blobs.bucket, "k", None)
    assert first.version_id != second.version_id
    assert world.blobs.get("k", version_id=first.version_id) == b"one"
    assert world.blobs.get_file("k", tmp_path / "one", version_id=first.version_id) == sha256(b"one")
    assert (tmp_path / "one").read_bytes() == b"one"
    assert world.blobs.get("k") == b"three"
    assert world.blobs.find_artifact(world.blobs.bucket, "k", first.version_id) == first


def test_an_artifact_is_found_with_the_hash_of_what_stands_there(world):
    world.blobs.put("artifacts/a.zip", b"zip")
    found = world.blobs.find_artifact(world.blobs.bucket, "artifacts/a.zip", None)
    assert (found.bucket, found.key, found.sha256, found.size_bytes) == (
        world.blobs.bucket, "artifacts/a.zip", sha256(b"zip"), 3,
    )  # fmt: skip


@pytest.mark.parametrize("version_id", [None, "no-such-version"])
def test_an_artifact_that_is_not_there_is_none(world, version_id):
    world.blobs.put("other", b"")
    assert world.blobs.find_artifact(world.blobs.bucket, "artifacts/a.zip", version_id) is None
    if version_id:
        assert world.blobs.find_artifact(world.blobs.bucket, "other", version_id) is None


def test_an_artifact_that_is_too_large_is_refused_before_it_is_read(world):
    world.blobs.put("artifacts/a.zip", b"zip")
    assert world.blobs.find_artifact(world.blobs.bucket, "artifacts/a.zip", None, max_bytes=3).size_bytes == 3
    with pytest.raises(InvalidInput, match="3 bytes, more than 2"):
        world.blobs.find_artifact(world.blobs.bucket, "artifacts/a.zip", None, max_bytes=2)


def test_another_bucket_is_refused(world):
    with pytest.raises(InvalidInput, match="not-ours"):
        world.blobs.find_artifact("not-ours", "k", None)


def test_keys_are_listed_in_order_after_one_and_up_to_a_limit(world):
    for key in ("logs/2", "logs/10", "logs/1", "log", "logs", "other"):
        world.blobs.put(key, b"")
    assert world.blobs.list_keys("logs/") == ["logs/1", "logs/10", "logs/2"]
    assert world.blobs.list_keys("logs/", limit=2) == ["logs/1", "logs/10"]
    assert world.blobs.list_keys("logs/", after="logs/1") == ["logs/10", "logs/2"]
    assert world.blobs.list_keys("logs/", after="logs/2") == []
    assert world.blobs.list_keys("nothing/") == []


def test_a_link_names_the_object(world):
    world.blobs.put("a/b c", b"x")
    url = world.blobs.presigned_get("a/b c", expires_s=60)
    assert world.blobs.bucket in url
    assert "a/b" in url


def test_an_opened_object_is_read_from_anywhere_in_the_very_version(world):
    data = bytes(range(256)) * 4000
    world.blobs.put("big", data)
    version = world.blobs.find_artifact(world.blobs.bucket, "big", None).version_id
    world.blobs.put("big", b"new")
    with world.blobs.open("big", version_id=version) as file:
        assert file.seek(-5, 2) == len(data) - 5
        assert file.read() == data[-5:]
        file.seek(300)
        assert file.read(7) == data[300:307]
    with world.blobs.open("big") as file:
        assert file.read() == b"new"
    world.blobs.put("empty", b"")
    with world.blobs.open("empty") as file:
        assert file.read() == b""
    for version_id in (None, "no-such-version"):
        with pytest.raises(NotFound, match="nothing"):
            world.blobs.open("nothing", version_id=version_id)


def test_a_deleted_object_is_gone_but_for_those_who_know_its_version(world):
    world.blobs.delete("never/there")
    world.blobs.put("a/1", b"x")
    version = world.blobs.find_artifact(world.blobs.bucket, "a/1", None).version_id
    world.blobs.delete("a/1")
    world.blobs.delete("a/1")
    assert not world.blobs.exists("a/1")
    assert world.blobs.list_keys("a/") == []
    with pytest.raises(NotFound):
        world.blobs.get("a/1")
    assert world.blobs.get("a/1", version_id=version) == b"x"
    world.blobs.put("a/1", b"again")
    assert world.blobs.get("a/1") == b"again"
    assert world.blobs.list_keys("a/") == ["a/1"]
