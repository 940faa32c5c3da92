"""The door to AWS: whose credentials are used where, and what AWS's refusals become."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ProfileNotFound

from dagy.aws import Aws, translated
from dagy.config import Profile
from dagy.core.errors import DagyError, Forbidden, InvalidInput, NotFound, Unauthenticated, Unavailable
from dagy.manifest import parse_manifest


@pytest.mark.parametrize(
    "endpoint_url, access_key",
    [
        pytest.param("http://127.0.0.1:4566", "test", id="the local cloud gets its own"),
        pytest.param("http://localhost:4566", "test", id="by name too"),
        pytest.param("https://emulator.example.com", "mine", id="elsewhere they are the user's"),
        pytest.param(None, "mine", id="AWS gets the user's"),
    ],
)
def test_whose_credentials_are_used(endpoint_url: str | None, access_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    s3 = Aws.of(Profile(region="eu-west-1", endpoint_url=endpoint_url)).client("s3")

    assert s3._request_signer._credentials.access_key == access_key
    assert s3.meta.region_name == "eu-west-1"
    assert s3.meta.endpoint_url == endpoint_url or endpoint_url is None


def refusal(code: str, status: int = 400, message: str = "words") -> ClientError:
    detail = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(detail, "PutObject")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error, kind, told",
    [
        pytest.param(refusal("AccessDenied", 403), Forbidden, "lack the action PutObject", id="no right to it"),
        pytest.param(refusal("ExpiredToken"), Unauthenticated, "aws sso login", id="expired credentials"),
        pytest.param(refusal("InvalidAccessKeyId", 403), Unauthenticated, "AWS_PROFILE", id="unknown credentials"),
        pytest.param(refusal("NoSuchBucket", 404), NotFound, "NoSuchBucket", id="no such bucket"),
        pytest.param(refusal("SlowDown", 503), Unavailable, "Try again", id="too fast"),
        pytest.param(refusal("InternalError", 500), Unavailable, "Try again", id="their fault"),
        pytest.param(refusal("EntityTooLarge"), InvalidInput, "EntityTooLarge: words", id="any other refusal"),
        pytest.param(NoCredentialsError(), Unauthenticated, "aws configure", id="no credentials"),
        pytest.param(ProfileNotFound(profile="x"), InvalidInput, "(x)", id="no such AWS profile"),
        pytest.param(EndpointConnectionError(endpoint_url="u"), Unavailable, "did not answer", id="nobody answers"),
    ],
)
def test_what_aws_says_becomes_an_error_of_ours(error: Exception, kind: type[DagyError], told: str) -> None:
    with pytest.raises(kind) as caught, translated("uploading"):
        raise error
    assert told in f"{caught.value} {caught.value.hint}"
    assert caught.value.__cause__ is error


MANIFEST = {
    "schema_version": 1,
    "stack_version": "0.1.0",
    "stage": "dev",
    "region": "eu-west-1",
    "account": "1",
    "api_url": "u",
    "app_url": None,
    "bucket": "b",
    "table": "t",
    "issuer": None,
    "client_id": None,
}


def test_a_manifest_of_a_newer_stack_is_read() -> None:
    assert parse_manifest(json.dumps({**MANIFEST, "more": 1})).bucket == "b"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="not JSON"),
        pytest.param("[]", id="a list"),
        pytest.param("{}", id="nothing in it"),
        pytest.param(json.dumps({**MANIFEST, "schema_version": 2}), id="another schema"),
    ],
)
def test_a_manifest_that_cannot_be_read_says_so(text: str) -> None:
    with pytest.raises(InvalidInput, match="manifest"):
        parse_manifest(text)
