"""What a stage can be told to be like, in words: by `-c key=value`, `cdk.json`, or `dagy infra deploy --set`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from dagy.core.errors import InvalidInput

RETENTION_DAYS: Final = (1, 7, 14, 30, 90, 180, 365, 731, 1827, 3653)
"""What CloudWatch and we agree on for logs."""


@dataclass(frozen=True, slots=True)
class Settings:
    """None, and what is empty, means: as the stage's kind has it. Everything here is a plain value; ids are of things
    that exist already, in the stage's own account and region.
    """

    alarms: bool | None = None
    alarm_topic_arn: str | None = None
    dashboard: bool | None = None
    tracing: bool | None = None
    fargate: bool | None = None
    """Whether tasks can run in containers, with the executor `ecs`."""
    log_retention_days: int | None = None
    run_retention_days: int | None = None
    kms_key_arn: str | None = None
    vpc_id: str | None = None
    subnet_ids: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()
    domain_name: str | None = None
    certificate_arn: str | None = None
    hosted_zone_id: str | None = None
    permissions_boundary: str | None = None
    """A managed policy's name or ARN, for every role."""
    tags: Mapping[str, str] = field(default_factory=dict)

    def given(self) -> dict[str, str]:
        """Those that say something, as `parse_settings` takes them."""
        return {f.name: _text(value) for f in fields(self) if (value := getattr(self, f.name)) not in (None, (), {})}


def parse_settings(given: Mapping[str, Any]) -> Settings:
    """From strings, as the command line gives them, or from JSON's own values. An empty string takes a setting back.

    Raises: InvalidInput for a name or value that cannot be, or for settings that need each other.
    """
    known = {f.name: str(f.type) for f in fields(Settings)}
    for name in given:
        if name not in known:
            raise InvalidInput(f"There is no setting '{name}'", f"Settings are: {', '.join(known)}.")
    settings = Settings(**{name: _value(name, known[name], value) for name, value in given.items() if value != ""})
    _check_together(settings)
    return settings


def parse_assignments(words: tuple[str, ...]) -> dict[str, str]:
    """What `--set name=value` means. Raises: InvalidInput for a word without `=`."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise InvalidInput(
                f"--set {word} says no value", f"Write --set {word}=<value>; nothing after = takes it back."
            )
        found[name.strip().replace("-", "_")] = value.strip()
    return found


def _value(name: str, kind: str, given: Any) -> Any:
    match kind.removesuffix(" | None"):
        case "bool":
            return _one_of(name, {"true": True, "false": False}, str(given).lower())
        case "int":
            return _days(name, given)
        case "tuple[str, ...]":
            return tuple(_matching(name, word) for word in _words(given))
        case "str":
            return _matching(name, str(given))
        case _:
            return _tags(given)


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(value)
        case str() | int():
            return str(value)
        case _:
            return json.dumps(dict(value), sort_keys=True)


def _one_of(name: str, choices: Mapping[str, Any], word: str) -> Any:
    if word not in choices:
        raise InvalidInput(f"{name} cannot be '{word}'", f"One of: {', '.join(choices)}.")
    return choices[word]


def _days(name: str, given: Any) -> int:
    try:
        days = int(str(given))
    except ValueError:
        raise InvalidInput(f"{name} cannot be '{given}'", "A number of days.") from None
    if name == "log_retention_days" and days not in RETENTION_DAYS:
        raise InvalidInput(f"Logs cannot be kept for {days} days", f"One of: {', '.join(map(str, RETENTION_DAYS))}.")
    if days < 1:
        raise InvalidInput(f"{name} cannot be {days}", "At least one day.")
    return days


def _words(given: Any) -> list[str]:
    words = given if isinstance(given, list) else str(given).split(",")
    return [str(word).strip() for word in words if str(word).strip()]


def _tags(given: Any) -> dict[str, str]:
    """JSON's object, or `team=data,cost-centre=42`."""
    if isinstance(given, str) and given.startswith("{"):
        try:
            given = json.loads(given)
        except ValueError:
            raise InvalidInput(f"tags cannot be read: {given[:80]}", "Such as team=data,cost-centre=42.") from None
    pairs = given.items() if isinstance(given, Mapping) else [word.partition("=")[::2] for word in _words(given)]
    tags = {str(key): str(value) for key, value in pairs}
    for key, value in tags.items():
        if key.lower().startswith(("aws:", "dagy:")):
            raise InvalidInput(f"Tag '{key}' is not yours to set", "Tags that begin with aws: or dagy: are taken.")
        if not (re.fullmatch(_TAG % "1,128", key) and re.fullmatch(_TAG % "0,256", value)):
            raise InvalidInput(
                f"AWS takes no tag '{key}={value}'"[:200], "Letters, digits, spaces and _ . : / = + - @."
            )
    if len(tags) > 40:
        raise InvalidInput(
            f"{len(tags)} tags are too many", "AWS takes 50 for a resource, and some are Dagy's: at most 40."
        )
    return tags


_TAG: Final = r"[\w .:/=+@-]{%s}"
_FORMS: Final = {
    "alarm_topic_arn": (r"arn:aws[\w-]*:sns:[\w-]+:\d{12}:\S+", "the ARN of an SNS topic"),
    "kms_key_arn": (
        r"arn:aws[\w-]*:kms:[\w-]+:\d{12}:key/\S+",
        "the ARN of a KMS key (of the key itself, not an alias)",
    ),
    "vpc_id": (r"vpc-[0-9a-f]+", "such as vpc-0a1b2c3d"),
    "subnet_ids": (r"subnet-[0-9a-f]+", "such as subnet-0a1b,subnet-2c3d"),
    "security_group_ids": (r"sg-[0-9a-f]+", "such as sg-0a1b2c3d"),
    "domain_name": (r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", "such as dagy.example.com"),
    "certificate_arn": (r"arn:aws[\w-]*:acm:[\w-]+:\d{12}:certificate/\S+", "the ARN of a certificate of ACM"),
    "hosted_zone_id": (r"Z[A-Z0-9]{1,31}", "such as Z0123456789ABC"),
    "permissions_boundary": (
        r"[\w+=,.@-]{1,128}|arn:aws[\w-]*:iam::\d{12}:policy/\S+",
        "the name or ARN of a managed policy",
    ),
}


def _matching(name: str, word: str) -> str:
    pattern, like = _FORMS[name]
    if not re.fullmatch(pattern, word):
        raise InvalidInput(f"{name} cannot be '{word[:120]}'", f"{like[0].upper()}{like[1:]}.")
    return word


def _check_together(settings: Settings) -> None:
    for name, needs in (
        ("vpc_id", "subnet_ids"),
        ("subnet_ids", "vpc_id"),
        ("security_group_ids", "vpc_id"),
        ("domain_name", "certificate_arn"),
        ("certificate_arn", "domain_name"),
        ("hosted_zone_id", "domain_name"),
    ):
        if getattr(settings, name) and not getattr(settings, needs):
            raise InvalidInput(f"{name} means nothing without {needs}", f"Give both, or neither: {name}, {needs}.")
    if settings.alarm_topic_arn and settings.alarms is False:
        raise InvalidInput("alarm_topic_arn means nothing with alarms=false", "Leave one of them out.")
