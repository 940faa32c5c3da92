"""Bytes in the artifact bucket.

IAM: s3:GetObject, s3:GetObjectVersion, s3:PutObject on the bucket's objects, s3:DeleteObject on its `packages/*`;
s3:ListBucket on the bucket (without it,
what is missing looks like what is forbidden).
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

from dagy.core.errors import InvalidInput, NotFound
from dagy.core.offer import MAX_ARTIFACT_BYTES, check_artifact_bytes
from dagy.ranged_file import Piece, RangedFile
from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.adapters.aws.errors import error_code, translated
from dagy_runtime.ports import Pulse, no_pulse
from dagy_runtime.values import ArtifactRef

_CHUNK_BYTES: Final = 1024 * 1024
_ABSENT: Final = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound"})
_NO_SUCH_RANGE: Final = "InvalidRange"
_NO_SUCH_VERSION: Final = frozenset(
    {"400", "InvalidArgument", "405", "MethodNotAllowed"}
)  # malformed ids, delete markers


class S3Blobs:
    def __init__(self, clients: Clients, bucket: str) -> None:
        self._clients = clients
        self.bucket = bucket

    def put(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
        self._put(key, data, sha256=hashlib.sha256(data).digest(), content_type=content_type)

    def get(self, key: str, *, version_id: str | None = None) -> bytes:
        try:
            with translated(_get_action(version_id), self._uri(key), passing=_ABSENT | _NO_SUCH_VERSION):
                answer = self._clients.get("s3").get_object(**self._object(key, version_id))
                return bytes(answer["Body"].read())
        except Exception as error:
            if self._is_absent(error, version_id):
                raise NotFound("object", self._uri(key)) from None
            raise

    def put_file(
        self, key: str, path: Path, *, content_type: str = "application/octet-stream", pulse: Pulse = no_pulse
    ) -> None:
        with _PulsingFile(path, pulse) as file:
            sha256 = _sha256_of(file)
            file.seek(0)
            self._put(key, file, sha256=sha256, content_type=content_type)

    def get_file(self, key: str, path: Path, *, version_id: str | None = None, pulse: Pulse = no_pulse) -> str:
        digest = hashlib.sha256()
        try:
            with translated(_get_action(version_id), self._uri(key), passing=_ABSENT | _NO_SUCH_VERSION):
                answer = self._clients.get("s3").get_object(**self._object(key, version_id))
                with path.open("wb") as file:
                    for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                        digest.update(chunk)
                        file.write(chunk)
                        pulse()
        except Exception as error:
            if self._is_absent(error, version_id):
                raise NotFound("object", self._uri(key)) from None
            raise
        return digest.hexdigest()

    def open(self, key: str, *, version_id: str | None = None) -> IO[bytes]:
        return io.BufferedReader(RangedFile(lambda span: self._piece(key, version_id, span)))

    def delete(self, key: str) -> None:
        with translated("s3:DeleteObject", self._uri(key)):
            self._clients.get("s3").delete_object(Bucket=self.bucket, Key=key)

    def exists(self, key: str, *, version_id: str | None = None) -> bool:
        return self._head(key, version_id) is not None

    def list_keys(self, prefix: str, *, after: str | None = None, limit: int = 1000) -> list[str]:
        keys: list[str] = []
        request: dict[str, Any] = {"Bucket": self.bucket, "Prefix": prefix}
        if after:
            request["StartAfter"] = after
        while len(keys) < limit:
            with translated("s3:ListBucket", self._uri(prefix)):
                answer = self._clients.get("s3").list_objects_v2(**request, MaxKeys=min(limit - len(keys), 1000))
            keys += [entry["Key"] for entry in answer.get("Contents", ())]
            if not answer.get("IsTruncated"):
                break
            request["ContinuationToken"] = answer["NextContinuationToken"]
        return keys

    def find_artifact(
        self, bucket: str, key: str, version_id: str | None, *, max_bytes: int = MAX_ARTIFACT_BYTES
    ) -> ArtifactRef | None:
        """Reads the whole object when it was uploaded without a SHA-256, or in parts, whose checksum is not its own."""
        if bucket != self.bucket:
            raise InvalidInput(f"'{bucket}' is not this stage's bucket", f"Upload to '{self.bucket}'.")
        head = self._head(key, version_id)
        if head is None:
            return None
        check_artifact_bytes(head["ContentLength"], max_bytes)
        version = _version(head) or version_id
        checksum = head.get("ChecksumSHA256", "")
        if checksum and "-" not in checksum and head.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
            sha256 = base64.b64decode(checksum).hex()
        else:
            sha256 = hashlib.sha256(self.get(key, version_id=version)).hexdigest()
        return ArtifactRef(bucket, key, sha256, version, head["ContentLength"])

    def presigned_get(self, key: str, *, expires_s: int) -> str:
        with translated("s3:GetObject", self._uri(key)):
            url: str = self._clients.get("s3").generate_presigned_url(
                "get_object", Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=expires_s
            )
        return url

    def _piece(self, key: str, version_id: str | None, span: str) -> Piece:
        passing = _ABSENT | _NO_SUCH_VERSION | {_NO_SUCH_RANGE}
        try:
            with translated(_get_action(version_id), self._uri(key), passing=passing):
                answer = self._clients.get("s3").get_object(**self._object(key, version_id), Range=span)
                data = bytes(answer["Body"].read())
        except Exception as error:
            if error_code(error) == _NO_SUCH_RANGE:  # of an empty object
                return Piece(b"", 0, 0)
            if self._is_absent(error, version_id):
                raise NotFound("object", self._uri(key)) from None
            raise
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.get("ContentRange", ""))
        return Piece(data, *map(int, found.groups())) if found else Piece(data, 0, len(data))

    def _put(self, key: str, body: bytes | IO[bytes], *, sha256: bytes, content_type: str) -> None:
        """S3 refuses what does not arrive with that hash."""
        with translated("s3:PutObject", self._uri(key)):
            self._clients.get("s3").put_object(
                Bucket=self.bucket,
                Key=key,
                Body=body,
                ContentType=content_type,
                ChecksumSHA256=base64.b64encode(sha256).decode(),
            )

    def _head(self, key: str, version_id: str | None) -> Mapping[str, Any] | None:
        try:
            with translated(_get_action(version_id), self._uri(key), passing=_ABSENT | _NO_SUCH_VERSION):
                head: Mapping[str, Any] = self._clients.get("s3").head_object(
                    **self._object(key, version_id), ChecksumMode="ENABLED"
                )
        except Exception as error:
            if self._is_absent(error, version_id):
                return None
            raise
        return head

    def _is_absent(self, error: Exception, version_id: str | None) -> bool:
        code = error_code(error)
        return code in _ABSENT or (version_id is not None and code in _NO_SUCH_VERSION)

    def _object(self, key: str, version_id: str | None) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": key, **({"VersionId": version_id} if version_id else {})}

    def _uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"


class _PulsingFile(io.FileIO):
    """A file that is read by the AWS library, which calls nobody back."""

    def __init__(self, path: Path, pulse: Pulse) -> None:
        super().__init__(path, "rb")
        self._pulse = pulse

    def read(self, size: int | None = -1, /) -> bytes:
        self._pulse()
        return super().read(-1 if size is None else size)


def _sha256_of(file: IO[bytes]) -> bytes:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.digest()


def _get_action(version_id: str | None) -> str:
    return "s3:GetObjectVersion" if version_id else "s3:GetObject"


def _version(head: Mapping[str, Any]) -> str | None:
    """None in a bucket without versions, where S3 says `null`."""
    version = head.get("VersionId")
    return version if version and version != "null" else None
