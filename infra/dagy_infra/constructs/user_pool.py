"""Who may sign in: the stage's Cognito user pool, with a group for each role. It stays when its stack goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_iam as iam
from constructs import Construct

from dagy_infra.constructs.accepted import accept
from dagy_runtime.values import Role

_PASSWORD_LENGTH: Final = 12
_INVITATION_DAYS: Final = 7
_ABOUT: Final = {
    Role.VIEWER: "May look at everything but keys, users and the audit log",
    Role.DEVELOPER: "May also deploy and run",
    Role.ADMIN: "May also manage keys and users, and read the audit log",
}


@dataclass(frozen=True, slots=True)
class UserPoolProps:
    is_protected: bool = True
    """Whether Cognito refuses to delete it until that is switched off by hand, and demands a second factor."""


class UserPool(Construct):
    """Nobody signs up: admins invite. People sign in with their email address and a second factor, which they may do
    without where the pool is not protected.
    """

    def __init__(self, scope: Construct, construct_id: str, props: UserPoolProps) -> None:
        super().__init__(scope, construct_id)
        self.pool: Final = cognito.CfnUserPool(
            self,
            "Pool",
            admin_create_user_config=cognito.CfnUserPool.AdminCreateUserConfigProperty(
                allow_admin_create_user_only=True
            ),
            username_attributes=["email"],
            username_configuration=cognito.CfnUserPool.UsernameConfigurationProperty(case_sensitive=False),
            auto_verified_attributes=["email"],
            policies=cognito.CfnUserPool.PoliciesProperty(
                password_policy=cognito.CfnUserPool.PasswordPolicyProperty(
                    minimum_length=_PASSWORD_LENGTH,
                    require_lowercase=True,
                    require_uppercase=True,
                    require_numbers=True,
                    require_symbols=True,
                    temporary_password_validity_days=_INVITATION_DAYS,
                )
            ),
            mfa_configuration="ON" if props.is_protected else "OPTIONAL",
            enabled_mfas=["SOFTWARE_TOKEN_MFA"],
            account_recovery_setting=cognito.CfnUserPool.AccountRecoverySettingProperty(
                recovery_mechanisms=[cognito.CfnUserPool.RecoveryOptionProperty(name="verified_email", priority=1)]
            ),
            user_pool_tier="LITE",  # has all of the above; the next costs thrice as much beyond 10,000 users a month
            deletion_protection="ACTIVE" if props.is_protected else "INACTIVE",
        )
        self.pool.apply_removal_policy(RemovalPolicy.RETAIN)
        if not props.is_protected:
            accept(
                self.pool, "COG2", "Where nothing needs protection, each person chooses whether to have a second factor"
            )
        accept(
            self.pool, "COG8", "The tier with threat protection costs money for every user, also when nobody signs in"
        )
        for number, role in enumerate(reversed(Role), start=1):
            group = cognito.CfnUserPoolGroup(
                self,
                role.value.capitalize(),
                user_pool_id=self.pool.ref,
                group_name=role.value,
                description=_ABOUT[role],
                precedence=number,
            )
            group.apply_removal_policy(RemovalPolicy.RETAIN)

    @property
    def id(self) -> str:
        return self.pool.ref

    @property
    def issuer(self) -> str:
        return f"https://cognito-idp.{Aws.REGION}.{Aws.URL_SUFFIX}/{self.pool.ref}"

    def managing(self) -> iam.PolicyStatement:
        """Users and their groups; nothing of the pool itself."""
        return iam.PolicyStatement(
            sid="ManageUsers",
            actions=[f"cognito-idp:{action}" for action in _MANAGING],
            resources=[self.pool.attr_arn],
        )


_MANAGING: Final = (
    "AdminAddUserToGroup",
    "AdminCreateUser",
    "AdminDeleteUser",
    "AdminDisableUser",
    "AdminEnableUser",
    "AdminGetUser",
    "AdminListGroupsForUser",
    "AdminRemoveUserFromGroup",
    "AdminUserGlobalSignOut",
    "ListUsers",
)
