"""Artifacts that are damaged, forged or hostile are refused by name, and leave nothing behind."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagy.artifact import extract_artifact, read_artifact
from dagy.core.errors import ArtifactInvalid, ArtifactNotFound, Conflict

SPEC = {
    "name": "etl",
    "version": "1",
    "created_at": "1980-01-01T00:00:00.000Z",
    "tasks": {},
    "task_runs": [],
    "edges": [],
    "outputs": None,
    "parameters": [],
}
METADATA = {
    "flow_name": "etl",
    "flow_version": "1",
    "is_version_pinned": True,
    "entrypoint": "flow:etl",
    "source": "flow.py",
    "import_roots": ["."],
    "built_at": "1980-01-01T00:00:00.000Z",
    "python_version": "3.11.7",
    "dagy_version": "0.1.0",
    "code_hash": "0" * 64,
    "namespace": "",
    "dependencies": {},
}
FILES = {"flow.py": b"x = 1\n", "data/a.csv": b"a,b\n"}

ITSELF = {"path": "manifest.json", "size": 0, "sha256": "0" * 64}

Change = Callable[[zipfile.ZipInfo], None]
Patch = Callable[[bytes], bytes]


def manifest_of(members: dict[str, bytes]) -> dict[str, Any]:
    return {
        "files": [
            {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for path, data in members.items()
        ]
    }


def packed(
    files: dict[str, bytes] | None = None,
    *,
    spec: Any = None,
    metadata: dict[str, Any] | None = None,
    manifest: Any = None,
    unlisted: list[tuple[str, bytes]] | None = None,
    without: str = "",
    change: tuple[str, Change] | None = None,
    compression: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """An artifact, correct but for what is asked."""
    members = dict(FILES if files is None else files)
    members["flow_spec.json"] = json.dumps(SPEC if spec is None else spec).encode()
    members["metadata.json"] = json.dumps({**METADATA, **(metadata or {})}).encode()
    listing = manifest_of(members) if manifest is None else manifest(manifest_of(members))
    members["manifest.json"] = listing if isinstance(listing, bytes) else json.dumps(listing).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of names that come twice: they are meant
        for name, data in [*members.items(), *(unlisted or [])]:
            if name == without:
                continue
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            if change is not None and change[0] == name:
                change[1](info)
            archive.writestr(info, data, compress_type=info.compress_type)
    return buffer.getvalue()


def with_file(name: str) -> bytes:
    return packed({**FILES, name: b"evil"})


def attributes(mode: int, low: int = 0) -> Change:
    return lambda info: setattr(info, "external_attr", mode << 16 | low)


def patched_central(name: str, offset: int, layout: str, value: int) -> bytes:
    """A field of a member's entry in the zip's directory, overwritten: the header now lies."""
    data = bytearray(packed())
    start = data.rindex(b"PK\x01\x02", 0, data.rindex(name.encode()))
    struct.pack_into(layout, data, start + offset, value)
    return bytes(data)


def patched_name(old: bytes, new: bytes) -> bytes:
    """A name overwritten wherever it stands (the writer would not write such a name)."""
    assert len(old) == len(new)
    return packed({**FILES, old.decode(): b"evil"}).replace(old, new)


def entry(manifest: Any, path: str) -> dict[str, Any]:
    return next(each for each in manifest["files"] if each["path"] == path)


def changed_entry(path: str, **fields: Any) -> Callable[[Any], Any]:
    def change(manifest: Any) -> Any:
        entry(manifest, path).update(fields)
        return manifest

    return change


def flipped_content() -> bytes:
    """One byte of a stored file changed, its CRC made to fit: only the manifest can tell."""
    data = packed(compression=zipfile.ZIP_STORED)
    other = b"x = 2\n"
    old_crc, new_crc = (struct.pack("<L", zlib.crc32(content)) for content in (FILES["flow.py"], other))
    return data.replace(FILES["flow.py"], other).replace(old_crc, new_crc)


def broken_stream() -> bytes:
    data = bytearray(packed({**FILES, "flow.py": b"x" * 5000}))
    start = data.index(b"flow.py") + len(b"flow.py")
    data[start : start + 8] = b"\xff" * 8
    return bytes(data)


def bomb() -> bytes:
    zeros = b"\0" * 3_000_000
    return packed({**FILES, "zeros.bin": zeros})


def lying_bomb() -> bytes:
    """Says it unpacks to a few bytes; `zipfile` would read on if it trusted the stream."""
    zeros = b"\0" * 3_000_000
    honest = packed({**FILES, "zeros.bin": zeros}, manifest=changed_entry("zeros.bin", size=10))
    return honest.replace(struct.pack("<L", len(zeros)), struct.pack("<L", 10))


def overlapping() -> bytes:
    """Two directory entries that share one member's bytes."""
    data = packed({**FILES, "flow.pz": FILES["flow.py"]})
    first = data.index(b"PK\x01\x02")
    entries = data[first:]
    position = entries.rindex(b"PK\x01\x02", 0, entries.index(b"flow.pz"))
    patched = bytearray(data)
    struct.pack_into("<L", patched, first + position + 42, 0)
    return bytes(patched)


HOSTILE: dict[str, Callable[[], bytes]] = {
    # no zip at all, or half of one
    "nothing": lambda: b"",
    "text": lambda: b"this is not a zip" * 100,
    "a zip cut short": lambda: packed()[:-40],
    "a zip whose first half is missing": lambda: packed()[200:],
    "a zip behind other bytes": lambda: b"#!/bin/sh\n" + packed(),
    "a damaged directory": lambda: packed().replace(b"PK\x01\x02", b"PK\x09\x09"),
    "a damaged stream": lambda: packed(compression=zipfile.ZIP_DEFLATED).replace(b"PK\x03\x04", b"PK\x03\x05", 2),
    "an empty zip": lambda: b"PK\x05\x06" + b"\0" * 18,
    # names
    "an absolute name": lambda: with_file("/etc/passwd"),
    "a name that leads upwards": lambda: with_file("../evil.py"),
    "a name that leads upwards inside": lambda: with_file("data/../../evil.py"),
    "a name through '.'": lambda: with_file("./evil.py"),
    "a name with an empty part": lambda: with_file("data//evil.py"),
    "a drive": lambda: with_file("C:/evil.py"),
    "a stream of a file": lambda: with_file("evil.py:stream"),
    "backslashes": lambda: patched_name(b"data/evil.py", b"..\\..\\evi.py"),
    "a NUL in a name": lambda: patched_name(b"flow.py_txt", b"flow.py\0txt"),
    "a line end in a name": lambda: with_file("evil\n.py"),
    "an endless name": lambda: with_file("a" * 300),
    "an endless path": lambda: with_file("/".join(["a" * 100] * 12)),
    "a name that comes twice": lambda: packed(unlisted=[("flow.py", b"x = 2\n")]),
    "names that differ by case": lambda: with_file("FLOW.py"),
    "names that differ by accent form": lambda: packed({**FILES, "caf\u00e9.py": b"", "cafe\u0301.py": b""}),
    "a file that is also a folder": lambda: with_file("flow.py/evil.py"),
    "another name in the member's own header": lambda: packed().replace(b"flow.py", b"evil.py", 1),
    # kinds
    "a link": lambda: packed(change=("flow.py", attributes(stat.S_IFLNK | 0o777))),
    "a device": lambda: packed(change=("flow.py", attributes(stat.S_IFCHR | 0o666))),
    "a pipe": lambda: packed(change=("flow.py", attributes(stat.S_IFIFO | 0o666))),
    "a folder by its mode": lambda: packed(change=("flow.py", attributes(stat.S_IFDIR | 0o755))),
    "a folder by its name": lambda: packed(unlisted=[("data/", b"")]),
    "a folder by its DOS flag": lambda: packed(change=("flow.py", attributes(0, 0x10))),
    "an encrypted member": lambda: patched_central("flow.py", 8, "<H", 0x1),
    "a strongly encrypted member": lambda: patched_central("flow.py", 8, "<H", 0x41),
    "bzip2": lambda: packed(compression=zipfile.ZIP_BZIP2),
    "an unknown method": lambda: patched_central("flow.py", 10, "<H", 99),
    # sizes
    "too many members": lambda: packed({**FILES, **{f"m/{n}": b"" for n in range(10_000)}}, compression=0),
    "a member that unpacks to absurd sizes": bomb,
    "a member that says it is small and is not": lying_bomb,
    "a member that says it is huge": lambda: patched_central("flow.py", 24, "<L", 600 * 2**20),
    "a member that says it is larger than the zip": lambda: patched_central("flow.py", 20, "<L", 2**30),
    "a member that starts elsewhere": lambda: patched_central("flow.py", 42, "<L", 7),
    "members that share their bytes": overlapping,
    "a broken stream": broken_stream,
    "a wrong CRC": lambda: patched_central("flow.py", 16, "<L", 1),
    # what the manifest says
    "a member the manifest does not list": lambda: packed(unlisted=[("evil.py", b"evil")]),
    "a listed member that is missing": lambda: packed(without="data/a.csv"),
    "content changed after it was listed": flipped_content,
    "another size": lambda: packed(manifest=changed_entry("flow.py", size=5)),
    "a larger size": lambda: packed(manifest=changed_entry("flow.py", size=7)),
    "a negative size": lambda: packed(manifest=changed_entry("flow.py", size=-1)),
    "another hash": lambda: packed(manifest=changed_entry("flow.py", sha256="0" * 64)),
    "a hash that is none": lambda: packed(manifest=changed_entry("flow.py", sha256=None)),
    "a file listed twice": lambda: packed(manifest=lambda m: {"files": [*m["files"], m["files"][0]]}),
    "a manifest that lists itself": lambda: packed(manifest=lambda m: {"files": [*m["files"], ITSELF]}),
    "a manifest that is a list": lambda: packed(manifest=lambda m: m["files"]),
    "a manifest without files": lambda: packed(manifest=lambda m: {}),
    "a manifest that is no JSON": lambda: packed(manifest=lambda m: b"{"),
    "a manifest that is no text": lambda: packed(manifest=lambda m: b"\xff\xfe{}"),
    "a manifest nested without end": lambda: packed(manifest=lambda m: b"[" * 200_000),
    "no manifest": lambda: packed(without="manifest.json"),
    # what spec and metadata say
    "no spec": lambda: packed(without="flow_spec.json"),
    "no metadata": lambda: packed(without="metadata.json"),
    "a spec that is a list": lambda: packed(spec=[]),
    "a spec without tasks": lambda: packed(spec={**SPEC, "tasks": None}),
    "a spec with a task that is none": lambda: packed(spec={**SPEC, "tasks": {"a": 7}}),
    "a spec with an unhashable id": lambda: packed(spec={**SPEC, "task_runs": [{"id": [], "task_name": "a"}]}),
    "a spec of another flow": lambda: packed(spec={**SPEC, "name": "other"}),
    "metadata of another version": lambda: packed(metadata={"flow_version": "2"}),
    "a source that is not there": lambda: packed(metadata={"source": "other.py"}),
    "a source that is no source": lambda: packed(metadata={"source": "metadata.json"}),
    "an entry point that is none": lambda: packed(metadata={"entrypoint": "os.system('x')"}),
    "an import root outside": lambda: packed(metadata={"import_roots": ["../../tmp"]}),
    "an absolute import root": lambda: packed(metadata={"import_roots": ["/tmp"]}),
    "no import roots": lambda: packed(metadata={"import_roots": []}),
    "import roots of numbers": lambda: packed(metadata={"import_roots": [1]}),
    "dependencies of numbers": lambda: packed(metadata={"dependencies": {"a": 1}}),
    "a flag of text": lambda: packed(metadata={"is_version_pinned": "yes"}),
}  # fmt: skip


def assert_refused(data: bytes, tmp_path: Path) -> ArtifactInvalid:
    with pytest.raises(ArtifactInvalid) as refused:
        read_artifact(data)
    with pytest.raises(ArtifactInvalid):
        extract_artifact(data, tmp_path / "into")
    assert list(tmp_path.iterdir()) == []
    on_disk = tmp_path / "artifact.zip"
    on_disk.write_bytes(data)
    with pytest.raises(ArtifactInvalid):
        extract_artifact(on_disk, tmp_path / "into")
    assert list(tmp_path.iterdir()) == [on_disk]
    on_disk.unlink()
    return refused.value


def test_the_artifact_the_others_are_made_from_is_correct(tmp_path: Path) -> None:
    contents = read_artifact(packed())
    metadata = extract_artifact(packed(), tmp_path / "into")
    (tmp_path / "artifact.zip").write_bytes(packed())
    assert extract_artifact(tmp_path / "artifact.zip", tmp_path / "again") == metadata

    assert (contents.spec.name, contents.metadata) == ("etl", metadata)
    assert {entry.path for entry in contents.manifest} == {*FILES, "flow_spec.json", "metadata.json"}
    assert {name: (tmp_path / "into" / name).read_bytes() for name in FILES} == FILES


@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in HOSTILE.items()])
def test_a_hostile_zip_is_refused_and_leaves_nothing(make: Callable[[], bytes], tmp_path: Path) -> None:
    assert_refused(make(), tmp_path)


@pytest.mark.parametrize(
    "name, member, why",
    [
        ("a name that leads upwards", "'../evil.py'", "leads through"),
        ("an absolute name", "'/etc/passwd'", "absolute"),
        ("backslashes", "evi.py", "forbidden characters"),
        ("a NUL in a name", r"'flow.py\x00txt'", "forbidden characters"),
        ("a member that says it is small and is not", "'zeros.bin'", "CRC"),
        ("members that share their bytes", "flow.p", "overlap"),
        ("an import root outside", "'../../tmp'", "leads"),
        ("a broken stream", "'flow.py'", "stream"),
        ("a link", "'flow.py'", "link"),
        ("an encrypted member", "'flow.py'", "encrypted"),
        ("names that differ by case", "'FLOW.py'", "taken by 'flow.py'"),
        ("a member the manifest does not list", "'evil.py'", "does not list"),
        ("a listed member that is missing", "'data/a.csv'", "missing"),
        ("content changed after it was listed", "'flow.py'", "SHA-256"),
        ("a member that unpacks to absurd sizes", "'zeros.bin'", "200 times"),
        ("no spec", "'flow_spec.json'", "missing"),
        ("a manifest that is no JSON", "'manifest.json'", "not JSON"),
        ("too many members", "10005 members", "10000"),
    ],
)
def test_the_member_and_the_reason_are_told(name: str, member: str, why: str, tmp_path: Path) -> None:
    message = str(assert_refused(HOSTILE[name](), tmp_path))

    assert member in message
    assert why in message


@settings(max_examples=150)
@given(position=st.integers(0, 10**6), value=st.integers(0, 255))
def test_a_zip_with_any_byte_changed_reads_the_same_or_is_refused(position: int, value: int) -> None:
    data = bytearray(packed())
    data[position % len(data)] = value

    try:
        contents = read_artifact(bytes(data))
    except ArtifactInvalid:
        return
    assert contents.manifest == read_artifact(packed()).manifest


@settings(max_examples=100)
@given(
    st.binary(max_size=400)
    | st.binary(min_size=1, max_size=200).map(lambda noise: packed()[:300] + noise + packed()[300:])
)
def test_noise_is_refused_in_our_own_words(data: bytes) -> None:
    with pytest.raises(ArtifactInvalid):
        read_artifact(data)


def test_what_is_extracted_is_only_for_this_user(tmp_path: Path) -> None:
    extract_artifact(packed(), tmp_path / "deep" / "into")

    for path in (tmp_path / "deep" / "into").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert stat.S_IMODE((tmp_path / "deep" / "into").stat().st_mode) == 0o700
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["into"]


def test_a_folder_with_something_in_it_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    (tmp_path / "into" / "mine.txt").write_text("mine")

    with pytest.raises(Conflict, match="into"):
        extract_artifact(packed(), tmp_path / "into")

    assert [path.name for path in tmp_path.rglob("*")] == ["into", "mine.txt"]


def test_an_artifact_that_is_not_there_is_a_file_not_found_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as refused:
        read_artifact(tmp_path / "artifact.zip")

    assert isinstance(refused.value, ArtifactNotFound)
    assert str(refused.value) == f"Artifact not found: {tmp_path}/artifact.zip"
