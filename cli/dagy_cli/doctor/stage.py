"""What the profile in force points to: its API, its AWS account, and whether clocks and versions agree with here.

Nothing is asked but the API and the AWS of that profile, briefly and once.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from dagy.core.errors import DagyError, InvalidInput, NotFound, Unauthenticated
from dagy.version import VERSION, is_older
from dagy_cli.doctor.finding import Finding, Later, Outcome, looked_into

if TYPE_CHECKING:
    from dagy.config import Profile

ASKED_S: Final = 4.0
WAITED_S: Final = 8.0
SKEW_NOTICED_S: Final = 30.0
SKEW_REFUSED_S: Final = 300.0  # AWS refuses signatures that are older, or newer, than five minutes
SET_CLOCK: Final = "sudo timedatectl set-ntp true"


def everything(name: str | None) -> list[Finding]:
    """Of the profile `name`, or the one in force."""
    from dagy.config import resolve_profile

    try:
        profile = resolve_profile(name)
    except DagyError as error:
        return [Finding("profile", Outcome.FAILED, str(error), "dagy config")]
    aws = Later("aws", lambda: _aws(profile), mend="aws configure")  # goes on while the API is asked
    api = Later("api", lambda: _api(profile), mend="dagy config")
    return [_profile(profile), *api.found(within_s=WAITED_S), *aws.found(within_s=WAITED_S)]


def _profile(profile: Profile) -> Finding:
    from dagy.config import resolve_api_url

    if profile.name is None and resolve_api_url(profile) is None:
        return Finding(
            "profile", Outcome.WARNING, "there is none: runs are local, nothing can be deployed", "dagy config"
        )
    where = f"{resolve_api_url(profile) or 'without an API'}{f', stage {profile.stage}' if profile.stage else ''}"
    return Finding("profile", Outcome.OK, f"{profile.name or '(none)'}: {where}")


# --- the API ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Answer:
    """`ahead_s` is how far this machine's clock is ahead of the API's; None when the API tells no time."""

    version: str
    stage: str
    took_s: float
    ahead_s: float | None


def _api(profile: Profile) -> list[Finding]:
    from dagy.config import resolve_api_url

    url = resolve_api_url(profile)
    if url is None:
        return [Finding("api", Outcome.SKIPPED, "no API is configured", "dagy config")]
    try:
        answer = _health(url)
    except DagyError as error:
        mend = "dagy local start" if profile.stage == "local" else _set_url(profile)
        return [Finding("api", Outcome.FAILED, str(error), mend)]
    found = [Finding("api", Outcome.OK, f"answers in {answer.took_s * 1000:.0f} ms, stage {answer.stage}")]
    found += [_versions(answer.version, answer.stage)]
    found += [] if answer.ahead_s is None else [_clock(answer.ahead_s)]
    return found + looked_into("sign-in", lambda: _who(profile, url), mend=_sign_in(profile))


def _health(url: str) -> _Answer:
    """Without a token: it is open to everyone. Raises: InvalidInput for what is no Dagy API, Unavailable."""
    import urllib3

    from dagy.client.transport import USER_AGENT, api_root, connection_pool
    from dagy.core.errors import Unavailable

    root = api_root(url)
    began_s = time.time()
    try:
        response = connection_pool(root, ASKED_S).request("GET", f"{root}/health", headers={"User-Agent": USER_AGENT})
    except urllib3.exceptions.HTTPError as error:
        raise Unavailable(f"{root} does not answer: {type(error).__name__}") from error
    ended_s = time.time()
    try:
        body = json.loads(response.data)
        version, stage = str(body["version"]), str(body["stage"])
    except (ValueError, TypeError, KeyError):
        raise InvalidInput(f"{root} is no Dagy API: it answers with HTTP {response.status}") from None
    return _Answer(version, stage, ended_s - began_s, _ahead_s(response.headers.get("Date"), (began_s + ended_s) / 2))


def _ahead_s(date: str | None, now_s: float) -> float | None:
    """Dates are whole seconds: on average, half a second has passed."""
    try:
        return now_s - (parsedate_to_datetime(date).timestamp() + 0.5) if date else None
    except (TypeError, ValueError):
        return None


def _versions(theirs: str, stage: str) -> Finding:
    if theirs == VERSION:
        return Finding("version", Outcome.OK, f"the stage runs dagy {theirs}, as this is")
    mend = f"dagy infra deploy --stage {stage}" if is_older(theirs) else "pip install --upgrade dagy"
    return Finding("version", Outcome.WARNING, f"the stage runs dagy {theirs}, this is {VERSION}", mend)


def _clock(ahead_s: float) -> Finding:
    off = f"{abs(ahead_s):,.0f} s {'ahead' if ahead_s > 0 else 'behind'}"
    if abs(ahead_s) < SKEW_NOTICED_S:
        return Finding("clock", Outcome.OK, "agrees with the API's")
    outcome = Outcome.FAILED if abs(ahead_s) >= SKEW_REFUSED_S else Outcome.WARNING
    return Finding("clock", outcome, f"{off} of the API's: signatures and tokens will be refused", SET_CLOCK)


def _who(profile: Profile, url: str) -> list[Finding]:
    from dagy.client.http import connect
    from dagy.credentials import find_credential

    found = find_credential(profile.name, api_url=url)
    if found is None:
        return [Finding("sign-in", Outcome.WARNING, "not signed in, and no API key", _sign_in(profile))]
    who = connect(profile, once_within_s=ASKED_S).whoami()
    until = f" until {who.expires_at}" if who.expires_at else ""
    return [Finding("sign-in", Outcome.OK, f"{who.name} ({who.kind}), {who.role}{until}")]


def _sign_in(profile: Profile) -> str:
    option = f" --profile {profile.name}" if profile.name else ""
    if profile.app_url or os.environ.get("DAGY_APP_URL"):
        return f"dagy login{option}"
    return f"dagy keys create --via-aws --save-profile{option}"


def _set_url(profile: Profile) -> str:
    return f"dagy config set {profile.name} --api-url <URL>" if profile.name else "export DAGY_API_URL=<URL>"


# --- AWS ----------------------------------------------------------------------------------------------------


def _aws(profile: Profile) -> list[Finding]:
    from dagy.aws import Aws

    aws = Aws.of(profile)
    if not aws.is_on_this_machine and not _has_credentials():
        return [
            Finding("aws", Outcome.SKIPPED, "no credentials; deploying and provisioning need some", "aws configure")
        ]
    try:
        identity = _identity(aws)
    except DagyError as error:
        sign_in = "aws sso login" if isinstance(error, Unauthenticated) else "aws sts get-caller-identity"
        mend = "dagy local start" if aws.is_on_this_machine else sign_in
        return [Finding("aws", Outcome.FAILED, str(error), mend)]
    found = [Finding("aws", Outcome.OK, f"{identity['Arn']} in {aws.region}")]
    return found + ([_manifest(profile, aws)] if profile.stage else [])


def _has_credentials() -> bool:
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        return boto3.session.Session().get_credentials() is not None
    except BotoCoreError:
        return True  # something is configured, and asking will say what is wrong with it


def _identity(aws: Any) -> Any:
    from dagy.aws import translated

    with translated("asking who we are"):
        return aws.client("sts", longest_s=ASKED_S).get_caller_identity()


def _manifest(profile: Profile, aws: Any) -> Finding:
    """What the stage's stacks say of it."""
    from dagy.manifest import read_manifest

    stage = str(profile.stage)
    deploy = "dagy local start" if stage == "local" else f"dagy infra deploy --stage {stage}"
    try:
        manifest = read_manifest(stage, aws, longest_s=ASKED_S)
    except NotFound as error:
        return Finding("stage", Outcome.FAILED, str(error), deploy)
    except DagyError as error:
        return Finding("stage", Outcome.WARNING, str(error), f"dagy infra status --stage {stage}")
    if profile.api_url and manifest.api_url.rstrip("/") != profile.api_url.rstrip("/").removesuffix("/v1"):
        mend = f"dagy config set {profile.name} --api-url {manifest.api_url}"
        return Finding("stage", Outcome.WARNING, f"its API is at {manifest.api_url}, the profile says otherwise", mend)
    if manifest.stack_version != VERSION:
        detail = f"stage {stage} was deployed by dagy {manifest.stack_version}, this is {VERSION}"
        return Finding(
            "stage",
            Outcome.WARNING,
            detail,
            deploy if is_older(manifest.stack_version) else "pip install --upgrade dagy",
        )
    return Finding("stage", Outcome.OK, f"{stage}, deployed by dagy {manifest.stack_version}")
