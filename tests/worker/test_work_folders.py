"""The folders of one child on disk: its own, empty, and gone with all that it left."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from dagy_runtime.worker.workdir import fresh_work_dir


@pytest.fixture
def temp(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def leave_behind(temp: Path) -> None:
    """What a flow may leave in a folder that is not its own, some of it hard to remove."""
    (temp / "secret").write_text("left by an invocation that died")
    (temp / "cache").mkdir()
    (temp / "cache" / "model.bin").write_bytes(b"x")
    (temp / "cache" / "locked").mkdir()
    (temp / "cache" / "locked" / "file").touch()
    (temp / "cache" / "locked").chmod(0o500)
    (temp / "cache").chmod(0)
    (temp / "dangling").symlink_to("/nowhere")
    (temp / "home").symlink_to(temp.parent)
    os.mkfifo(temp / "pipe")


def test_four_empty_folders_for_this_user_alone_and_nothing_afterwards(temp):
    with fresh_work_dir() as dirs:
        folders = [dirs.code, dirs.scratch, dirs.temp, dirs.handover]
        assert [list(folder.iterdir()) for folder in folders] == [[], [], [], []]
        assert dirs.root.stat().st_mode & 0o077 == 0
        (dirs.scratch / "file").touch()
        leave_behind(dirs.temp)
    assert list(temp.iterdir()) == []


def test_the_sole_user_of_the_temporary_folder_finds_it_empty_and_leaves_it_so(temp):
    leave_behind(temp)
    with fresh_work_dir(is_sole_user=True) as dirs:
        assert list(temp.iterdir()) == [dirs.root]
        leave_behind(temp)
    assert list(temp.iterdir()) == []
    assert temp.parent.exists(), "links are not followed"


def test_where_others_use_the_temporary_folder_only_dead_processes_are_cleaned_up_after(temp):
    leave_behind(temp)
    before = set(temp.iterdir())
    dead, mine, alive = (temp / f"dagy-run-{pid}-x" for pid in (2**22 + 1, os.getpid(), os.getppid()))
    for folder in (dead, mine, alive):
        folder.mkdir()
    with fresh_work_dir() as dirs:
        assert set(temp.iterdir()) == before | {alive, dirs.root}
    assert set(temp.iterdir()) == before | {alive}


def test_two_at_once_leave_each_other_alone(temp):
    for is_sole_user in (False, True):
        with fresh_work_dir(is_sole_user=is_sole_user) as one:
            with fresh_work_dir(is_sole_user=is_sole_user):
                assert one.scratch.exists()
            assert one.scratch.exists()
