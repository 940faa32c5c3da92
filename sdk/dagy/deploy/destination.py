"""Which bucket artifacts go to, and the upload."""

from __future__ import annotations

import base64
import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from dagy.aws import Aws, translated
from dagy.config import Profile
from dagy.core.errors import Conflict, DagyError, Forbidden, NotFound, Unauthenticated, Unavailable
from dagy.deploy.candidate import Candidate
from dagy.deploy.shipped import Shipped, read_shipped
from dagy.manifest import read_manifest
from dagy.ranged_file import Piece, RangedFile

DEFAULT_STAGE: Final = "dev"
LAST_RESORT: Final = "dagy-artifacts"


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where to upload. `owner` is the AWS account it must belong to, when that is known: a bucket of the same name in
    somebody else's account is refused.
    """

    name: str
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Uploaded:
    """One exact object. `version_id` is None in a bucket without versions."""

    bucket: str
    key: str
    version_id: str | None

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class Store(Protocol):
    """Where artifacts go."""

    def upload(self, candidate: Candidate, key: str) -> Uploaded: ...

    def uri(self, key: str) -> str:
        """Where the key would be. Nothing is written."""

    def shipped(self, uri: str, version_id: str | None) -> Shipped:
        """What an artifact holds that was deployed before. Raises: DagyError when that cannot be read."""


class S3Store:
    """The bucket of a profile's stage. It is looked for when it is first needed, because a deploy that changes
    nothing must not wait for AWS.
    """

    def __init__(self, profile: Profile, *, bucket: str | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self._profile, self._given, self._environ = profile, bucket, environ
        self._aws = Aws.of(profile, environ=environ)
        self._found: Bucket | None = None

    def uri(self, key: str) -> str:
        return f"s3://{self._bucket().name}/{key}"

    def upload(self, candidate: Candidate, key: str) -> Uploaded:
        """Put the zip there, replacing; S3 itself checks its SHA-256. A repeat makes another version of the object."""
        return self._put(candidate.path, key, candidate.sha256)

    def upload_once(self, path: Path, key: str, sha256: str) -> str:
        """Put the zip there unless something is: the SHA-256, hex, of what is there now. Of several callers at the same
        moment one uploads, so the object has one version.
        """
        standing = self._sha256_of(key)
        if standing is None:
            try:
                self._put(path, key, sha256, IfNoneMatch="*")
            except Conflict:  # somebody was faster
                standing = self._sha256_of(key)
        return standing or sha256

    def bucket_name(self) -> str:
        return self._bucket().name

    def _put(self, path: Path, key: str, sha256: str, **conditions: str) -> Uploaded:
        """Raises: Conflict when a condition does not hold."""
        bucket = self._bucket()
        s3 = self._aws.client("s3")
        owner = {"ExpectedBucketOwner": bucket.owner} if bucket.owner else {}
        with translated(f"uploading to s3://{bucket.name}/{key}"), path.open("rb") as file:
            answer = s3.put_object(
                Bucket=bucket.name,
                Key=key,
                Body=file,
                ContentType="application/zip",
                ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
                **owner,
                **conditions,
            )
        version_id = answer.get("VersionId")
        return Uploaded(bucket.name, key, version_id if version_id != "null" else None)

    def _sha256_of(self, key: str) -> str | None:
        """None when nothing is there, or something that tells no hash."""
        bucket = self._bucket()
        s3 = self._aws.client("s3")
        try:
            with translated(f"looking at s3://{bucket.name}/{key}"):
                answer = s3.head_object(Bucket=bucket.name, Key=key, ChecksumMode="ENABLED")
        except NotFound:
            return None
        checksum = answer.get("ChecksumSHA256")
        return base64.b64decode(checksum).hex() if checksum else None

    def shipped(self, uri: str, version_id: str | None) -> Shipped:
        s3 = self._aws.client("s3")
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        version = {"VersionId": version_id} if version_id else {}

        def fetch(span: str) -> Piece:
            with translated(f"reading {uri}"):
                answer = s3.get_object(Bucket=bucket, Key=key, Range=span, **version)
                data = answer["Body"].read()
            found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.get("ContentRange", ""))
            return Piece(data, *map(int, found.groups())) if found else Piece(data, 0, len(data))

        return read_shipped(io.BufferedReader(RangedFile(fetch)))

    def _bucket(self) -> Bucket:
        if self._found is None:
            self._found = self._look()
        return self._found

    def _look(self) -> Bucket:
        """Asked for, else `DAGY_ARTIFACT_BUCKET`, else the stage's manifest, else the name that the account and region
        make, else the last resort.
        """
        given = self._given or self._environ.get("DAGY_ARTIFACT_BUCKET")
        if given:
            return Bucket(given)
        stage = self._profile.stage or DEFAULT_STAGE
        try:
            manifest = read_manifest(stage, self._aws)
            return Bucket(manifest.bucket, manifest.account)
        except (NotFound, Forbidden, Unavailable):
            return self._by_account(stage)
        except Unauthenticated:
            return Bucket(LAST_RESORT)

    def _by_account(self, stage: str) -> Bucket:
        try:
            sts = self._aws.client("sts")
            with translated("asking who we are"):
                account = str(sts.get_caller_identity()["Account"])
        except DagyError:
            return Bucket(LAST_RESORT)
        suffix = "" if stage == DEFAULT_STAGE else f"-{stage}"
        return Bucket(f"{LAST_RESORT}-{account}-{self._aws.region}{suffix}", account)
