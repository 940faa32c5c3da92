"""The one door from the laptop to AWS: makes clients, and turns what botocore raises into errors Dagy can name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from dagy.config import Profile, resolve_region
from dagy.core.errors import Conflict, DagyError, Forbidden, InvalidInput, NotFound, Unauthenticated, Unavailable
from dagy.loopback import is_loopback

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_SIGN_IN: Final = "Give AWS credentials: `aws configure`, `aws sso login`, or AWS_PROFILE."
_UNKNOWN_CREDENTIALS: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_MISSING: Final = {"NoSuchBucket": "bucket", "ParameterNotFound": "parameter", "ResourceNotFoundException": "resource"}


@dataclass(frozen=True, slots=True)
class Aws:
    """Where AWS is for a profile. `endpoint_url` is the local cloud's; its credentials are then `test`/`test`,
    on this machine only.
    """

    region: str
    endpoint_url: str | None = None

    @classmethod
    def of(cls, profile: Profile, *, environ: Mapping[str, str] = os.environ) -> Aws:
        return cls(resolve_region(profile, environ=environ), profile.endpoint_url)

    @property
    def is_on_this_machine(self) -> bool:
        return self.endpoint_url is not None and is_loopback(urlsplit(self.endpoint_url).hostname)

    def client(self, service: str, *, longest_s: float | None = None) -> Any:
        """A boto3 client that gives up after seconds, not minutes; with `longest_s`, after those, and at the first
        failure. Nothing is asked of AWS yet.
        """
        import boto3  # a lazy door: 200 ms that most commands need not pay
        from botocore.config import Config  # a lazy door: see above

        config = Config(
            connect_timeout=longest_s or 5,
            read_timeout=longest_s or 60,
            retries={"mode": "standard", "max_attempts": 1 if longest_s else 3},
            # An emulator's host has no names below it for virtual-hosted buckets.
            s3={"addressing_style": "path"} if self.endpoint_url else None,
        )
        options: dict[str, Any] = {"region_name": self.region, "config": config}
        if self.endpoint_url is not None:
            options["endpoint_url"] = self.endpoint_url
        if self.is_on_this_machine:
            options.update(aws_access_key_id="test", aws_secret_access_key="test")  # noqa: S106 - the emulator's
        with translated(f"a client for {service}"):
            make: Any = boto3.client  # its stubs want the service's name as a literal
            return make(service, **options)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Whatever AWS raises in the block becomes an error of ours. `doing` completes "AWS refused …"."""
    import botocore.exceptions as aws_errors  # a lazy door: see `Aws.client`
    from boto3.exceptions import Boto3Error  # a lazy door: see `Aws.client`

    try:
        yield
    except aws_errors.ClientError as error:
        raise _of_answer(error, doing) from error
    except (
        aws_errors.NoCredentialsError,
        aws_errors.PartialCredentialsError,
        aws_errors.CredentialRetrievalError,
        aws_errors.TokenRetrievalError,
        aws_errors.UnauthorizedSSOTokenError,
        aws_errors.SSOError,
    ) as error:
        raise Unauthenticated(f"No usable AWS credentials for {doing}: {error}", _SIGN_IN) from error
    except (aws_errors.ProfileNotFound, aws_errors.InvalidRegionError, aws_errors.ParamValidationError) as error:
        raise InvalidInput(f"AWS settings for {doing} make no sense: {error}") from error
    except (aws_errors.BotoCoreError, Boto3Error) as error:
        raise Unavailable(f"AWS did not answer {doing}: {error}") from error


def _of_answer(error: ClientError, doing: str) -> DagyError:
    detail = error.response.get("Error", {})
    code, message = detail.get("Code", "unknown"), detail.get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    said = f"{code}: {message}" if message else code
    if code in _UNKNOWN_CREDENTIALS:
        return Unauthenticated(f"AWS does not accept the credentials for {doing} ({said})", _SIGN_IN)
    if code.startswith("AccessDenied") or status == 403:
        return Forbidden(f"AWS refused {doing} ({said})", f"The credentials lack the action {error.operation_name}.")
    if code in _MISSING or status == 404:
        return NotFound(_MISSING.get(code, "object"), doing, said)
    if status == 412:
        return Conflict(f"AWS did not do {doing}: it changed meanwhile ({said})", "Try again.")
    if status >= 500 or "Throttl" in code or code == "SlowDown":
        return Unavailable(f"AWS could not do {doing} ({said})", "Try again.")
    return InvalidInput(f"AWS refused {doing} ({said})")
