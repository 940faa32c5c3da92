"""What a deploy would take away, read from the words of `cdk diff`: for a warning that nobody can overlook."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_HOLDING: Final = {
    "AWS::ApiGatewayV2::Api": "the API's address",
    "AWS::Cognito::UserPool": "all users",
    "AWS::DynamoDB::GlobalTable": "all flows, deployments, runs and keys",
    "AWS::S3::Bucket": "all artifacts and results",
    "AWS::Scheduler::ScheduleGroup": "all schedules",
}
_LINE: Final = re.compile(
    r"^\[[-~]\] (?P<type>AWS::\w+::\w+) (?P<name>.+?) (?P<impact>replace|may be replaced|destroy|orphan)$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that holds what cannot be made again."""

    resource: str
    impact: str
    """The CDK's word: `replace`, `may be replaced`, `destroy`, or `orphan` for what stays where nothing finds it."""
    holds: str

    def __str__(self) -> str:
        return f"{self.resource} ({self.impact}): {self.holds}"


def losses(diff: str) -> list[Loss]:
    """None, for every upgrade there has been: tests hold the templates to it."""
    found = ((line["type"], line["name"], line["impact"]) for line in _LINE.finditer(diff))
    return [Loss(name.split()[-1], impact, _HOLDING[kind]) for kind, name, impact in found if kind in _HOLDING]
