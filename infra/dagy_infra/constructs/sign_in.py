"""The way from the user pool's own pages to the stage: the app client, and the host name of those pages.

Replaceable: who loses it signs in again. The client is public, for a program on somebody's computer keeps no secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_cdk import Aws, Fn
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from dagy_infra.constructs.user_pool import UserPool

TOKEN_MINUTES: Final = 60


@dataclass(frozen=True, slots=True)
class SignInProps:
    users: UserPool
    app_url: str
    """Where the stage's sign-in page is; only below it does a sign-in come back."""
    emulator_endpoint_url: str | None = None
    """Which serves the pool's pages and keys itself."""


class SignIn(Construct):
    def __init__(self, scope: Construct, construct_id: str, props: SignInProps) -> None:
        super().__init__(scope, construct_id)
        self.users: Final = props.users
        self.app_url: Final = props.app_url
        unit = "minutes"
        minutes = cognito.CfnUserPoolClient.TokenValidityUnitsProperty(
            access_token=unit, id_token=unit, refresh_token=unit
        )
        self.client: Final = cognito.CfnUserPoolClient(
            self,
            "Client",
            user_pool_id=props.users.id,
            generate_secret=False,
            allowed_o_auth_flows_user_pool_client=True,
            allowed_o_auth_flows=["code"],
            allowed_o_auth_scopes=["openid", "email"],
            callback_ur_ls=[f"{props.app_url}/sign-in/callback"],
            supported_identity_providers=["COGNITO"],
            explicit_auth_flows=["ALLOW_REFRESH_TOKEN_AUTH"],  # so no password is ever sent to the API of Cognito
            enable_token_revocation=True,
            prevent_user_existence_errors="ENABLED",
            access_token_validity=TOKEN_MINUTES,
            id_token_validity=TOKEN_MINUTES,
            refresh_token_validity=TOKEN_MINUTES,  # Cognito's minimum: nobody keeps one
            token_validity_units=minutes,
        )
        # Unique in the region, over all accounts: the last part of the stack's own UUID.
        unique = Fn.select(4, Fn.split("-", Fn.select(2, Fn.split("/", Aws.STACK_ID))))
        self._domain = cognito.CfnUserPoolDomain(self, "Domain", user_pool_id=props.users.id, domain=f"dagy-{unique}")
        endpoint = props.emulator_endpoint_url
        self.url: Final = endpoint or f"https://{self._domain.ref}.auth.{Aws.REGION}.amazoncognito.com"
        keys = f"{endpoint}/{props.users.id}" if endpoint else props.users.issuer
        self.keys_url: Final = f"{keys}/.well-known/jwks.json"

    def environment(self) -> dict[str, str]:
        """For the function that serves the sign-in page and checks tokens."""
        return {
            "DAGY_USER_POOL": self.users.id,
            "DAGY_ISSUER": self.users.issuer,
            "DAGY_CLIENT_ID": self.client.ref,
            "DAGY_JWKS_URL": self.keys_url,
            "DAGY_SIGN_IN_URL": self.url,
            "DAGY_APP_URL": self.app_url,
        }
