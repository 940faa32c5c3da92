"""What AWS answers when it does not do as asked, in words of the toolkit's error tree."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

from dagy.core.errors import DagyError, Forbidden, NotFound, Unauthenticated, Unavailable

_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden"})
_UNKNOWN_CALLER: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_MISSING: Final = frozenset({"ResourceNotFoundException", "NoSuchBucket", "StateMachineDoesNotExist"})
_TRANSIENT: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "InternalError",
        "InternalServerError",
        "InternalServerException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


@contextmanager
def translated(action: str, resource: str, *, passing: Collection[str] = ()) -> Iterator[None]:
    """Turn the errors of one AWS call into `DagyError`s. `action` as IAM writes it, `dynamodb:GetItem`.

    AWS errors whose code is in `passing` go through untouched, as do those that can only be a bug of ours
    (`ValidationException`).
    """
    try:
        yield
    except Exception as error:
        if error_code(error) in passing:
            raise
        problem = _translate(error, action, resource)
        if problem is None:
            raise
        raise problem from error


def error_code(error: BaseException) -> str | None:
    """AWS's code; None when the error is not an answer of AWS."""
    response: Any = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else None


def _translate(error: Exception, action: str, resource: str) -> DagyError | None:
    code = error_code(error)
    if code is None:
        return _untold(error, action)
    if code in _DENIED:
        return Forbidden(
            f"AWS refused {action} on {resource} ({code})", "The role or user needs that action on that resource."
        )
    if code in _UNKNOWN_CALLER:
        return Unauthenticated(f"AWS does not accept the credentials ({code} from {action})", "Refresh them.")
    if code in _MISSING:
        return NotFound("resource", f"{resource} ({code} from {action})", "Is the stage provisioned?")
    status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)  # type: ignore[attr-defined]
    if code in _TRANSIENT or status >= 500 or status == 429:
        return Unavailable(f"AWS could not serve {action} on {resource} now ({code})", "Try again.")
    return None


def _untold(error: Exception, action: str) -> DagyError | None:
    """An error of the SDK's own: nothing was answered."""
    from botocore import exceptions  # a lazy door: loaded already when there is an error to look at

    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        return Unauthenticated("There are no AWS credentials", "Set AWS_PROFILE, or sign in to AWS.")
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.IncompleteReadError)):
        return Unavailable(f"AWS did not answer {action} ({type(error).__name__})", "Try again.")
    return None
