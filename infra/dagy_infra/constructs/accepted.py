"""What cdk-nag's pack AwsSolutions would rather have otherwise, recorded where it is decided, with the reason.

A CDK app that uses these constructs and cdk-nag sees the reasons in its report instead of errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_iam as iam
from constructs import IConstruct

NAMELESS: Final = "AWS has no name for what these actions are about, so a policy cannot say which"


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """The rule is broken here, and below, on purpose."""
    Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason))


class WildcardStatement(iam.PolicyStatement):
    """One whose resources cannot be named one by one, and why. No other has a wildcard: a test reads them."""

    def __init__(self, *, reason: str, sid: str, actions: Sequence[str], resources: Sequence[str], **more: Any) -> None:
        super().__init__(sid=sid, actions=actions, resources=resources, **more)
        self._reason: Final = reason
        self._resources: Final = resources

    def accept_in(self, policy: iam.Policy) -> None:
        """cdk-nag wants each wildcard acknowledged as it writes it: `Resource::arn:<AWS::Partition>:s3:::…/*`."""
        for resource in self._resources:
            accept(policy, f"IAM5[Resource::{_flat(Stack.of(policy).resolve(resource))}]", self._reason)


def _flat(resolved: Any) -> str:
    match resolved:
        case str():
            return resolved
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [resource, attribute]}:
            return f"<{resource}.{attribute}>"
        case {"Fn::Join": [delimiter, parts]}:
            return str(delimiter).join(map(_flat, parts))
        case _:
            raise TypeError(f"A resource of a policy that cdk-nag's spelling is not known of: {resolved}")
