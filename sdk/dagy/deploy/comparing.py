"""What a deploy adds, changes and drops, file by file, against the artifact that is deployed."""

from __future__ import annotations

from dataclasses import dataclass

from dagy.client import models as m
from dagy.core.errors import DagyError
from dagy.deploy.candidate import Candidate
from dagy.deploy.destination import Store
from dagy.deploy.shipped import dropped, file_changes, read_shipped


@dataclass(frozen=True, slots=True)
class FileChanges:
    """`changes` are words for people. `dropped` are as `shipped.dropped` says."""

    changes: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


def compare_files(candidate: Candidate, before: m.FlowDetailResponse, store: Store) -> FileChanges:
    """One small read of the bucket. What is deployed may be gone, or not be ours to read: that stops no deploy, it is
    only told.
    """
    if before.artifact_exists is False:
        return FileChanges()
    try:
        old = store.shipped(before.artifact_s3_uri, before.artifact_version_id)
    except DagyError as error:
        return FileChanges((f"files not compared ({error})",))
    with candidate.path.open("rb") as file:
        new = read_shipped(file)
    return FileChanges(tuple(file_changes(old, new)), dropped(old, new))
