"""The stage's Cognito user pool: its users, its public keys, and the exchange of a sign-in's code.

IAM, on the pool: cognito-idp:AdminGetUser, AdminListGroupsForUser, ListUsers, AdminCreateUser, AdminAddUserToGroup,
AdminRemoveUserFromGroup, AdminDisableUser, AdminEnableUser, AdminDeleteUser,
AdminUserGlobalSignOut. Keys and exchange need no rights.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

from dagy.core.errors import Conflict, InvalidInput, Unavailable
from dagy.core.timestamps import to_iso
from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.adapters.aws.errors import error_code, translated
from dagy_runtime.adapters.aws.https import ask
from dagy_runtime.adapters.cursors import decode_cursor, encode_cursor, list_id
from dagy_runtime.adapters.rules import checked_email, user_exists
from dagy_runtime.ports.people import RsaKey, User, highest_role
from dagy_runtime.values import Page, Role

MAX_PAGE: Final = 60  # Cognito's
_UNKNOWN: Final = "UserNotFoundException"
_EXISTS: Final = "UsernameExistsException"
_BAD: Final = "InvalidParameterException"


class CognitoPublicKeys:
    """`url` is the pool's JWKS, from the stage's settings, never from a token."""

    def __init__(self, url: str) -> None:
        self._url = url

    def fetch(self) -> Mapping[str, RsaKey]:
        if not self._url:
            return {}
        status, body = ask(self._url)
        if status != 200:
            raise Unavailable(f"The user pool's keys could not be fetched (status {status})", "Try again.")
        return read_jwks(body)


def read_jwks(body: bytes) -> dict[str, RsaKey]:
    """RSA keys for RS256 signatures by key id; others are left out. Raises: Unavailable for what is no JWKS."""
    try:
        keys = [_rsa_key(key) for key in json.loads(body)["keys"]]
        return dict(pair for pair in keys if pair)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unavailable("The user pool's keys could not be read", "Try again.") from None


def _rsa_key(jwk: Mapping[str, Any]) -> tuple[str, RsaKey] | None:
    if jwk.get("kty") != "RSA" or jwk.get("use", "sig") != "sig" or jwk.get("alg", "RS256") != "RS256":
        return None
    try:
        return str(jwk["kid"]), RsaKey(_number(jwk["n"]), _number(jwk["e"]))
    except (KeyError, TypeError, binascii.Error, AttributeError):
        return None


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


class CognitoDirectory:
    def __init__(self, clients: Clients, pool_id: str) -> None:
        self._clients, self._pool_id = clients, pool_id

    def get(self, user: str) -> User | None:
        found = self._call("AdminGetUser", passing=_UNKNOWN, Username=user)
        return self._user(found, found["UserAttributes"]) if found else None

    def list_users(self, *, limit: int, cursor: str | None = None) -> Page:
        """The role of each user is a request of its own: Cognito lists users without their groups."""
        list_name = list_id("users")
        after = decode_cursor(list_name, cursor)
        more = {"PaginationToken": after} if after else {}
        found = self._call("ListUsers", Limit=min(limit, MAX_PAGE), **more)
        users = tuple(self._user(user, user["Attributes"]) for user in found["Users"])
        following = found.get("PaginationToken")
        return Page(users, encode_cursor(list_name, following) if following else None)

    def invite(self, email: str, role: Role, *, password: str | None) -> User:
        checked_email(email)
        how: dict[str, Any] = {"DesiredDeliveryMediums": ["EMAIL"]}
        if password is not None:
            how = {"MessageAction": "SUPPRESS", "TemporaryPassword": password}
        made = self._call(
            "AdminCreateUser",
            passing=_EXISTS,
            Username=email,
            UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
            **how,
        )
        if made is None:
            raise user_exists(email)
        name = made["User"]["Username"]
        self._call("AdminAddUserToGroup", Username=name, GroupName=role.value)
        return self._user(made["User"], made["User"]["Attributes"])

    def set_role(self, user: str, role: Role) -> User | None:
        """The new group first: a crash between leaves too many, and the highest counts, until it is repeated."""
        found = self._call("AdminGetUser", passing=_UNKNOWN, Username=user)
        if found is None:
            return None
        name = found["Username"]
        self._call("AdminAddUserToGroup", Username=name, GroupName=role.value)
        for group in self._groups(name):
            if group != role.value and group in Role._value2member_map_:
                self._call("AdminRemoveUserFromGroup", Username=name, GroupName=group)
        return self._user(found, found["UserAttributes"])

    def set_enabled(self, user: str, is_enabled: bool) -> User | None:
        found = self._call("AdminGetUser", passing=_UNKNOWN, Username=user)
        if found is None:
            return None
        name = found["Username"]
        if is_enabled:
            self._call("AdminEnableUser", Username=name)
        else:
            self._call("AdminDisableUser", Username=name)
            self._call("AdminUserGlobalSignOut", Username=name)
        return self._user({**found, "Enabled": is_enabled}, found["UserAttributes"])

    def remove(self, user: str) -> User | None:
        found = self.get(user)
        if found is not None:
            self._call("AdminDeleteUser", passing=_UNKNOWN, Username=found.id)
        return found

    def _user(self, found: Mapping[str, Any], attributes: list[dict[str, str]]) -> User:
        known = {attribute["Name"]: attribute["Value"] for attribute in attributes}
        return User(
            id=known.get("sub", found["Username"]),
            email=known.get("email", found["Username"]),
            role=highest_role(self._groups(found["Username"])),
            is_enabled=bool(found.get("Enabled", True)),
            status=str(found.get("UserStatus", "UNKNOWN")),
            created_at=to_iso(found["UserCreateDate"].timestamp()),
        )

    def _groups(self, name: str) -> list[str]:
        found = self._call("AdminListGroupsForUser", Username=name, Limit=MAX_PAGE)
        return [group["GroupName"] for group in found["Groups"]]

    def _call(self, operation: str, *, passing: str = "", **request: Any) -> Any:
        """None for the one error that may pass."""
        client = self._clients.get("cognito-idp")
        method = getattr(client, "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_"))
        try:
            with translated(f"cognito-idp:{operation}", f"user pool {self._pool_id}", passing=(passing, _BAD)):
                return method(UserPoolId=self._pool_id, **request)
        except Exception as error:
            code = error_code(error)
            if code == _BAD:
                raise InvalidInput(
                    f"Cognito does not take that ({operation})", "Check the address or the id."
                ) from None
            if not passing or code != passing:
                raise
            return None


class NoDirectory:
    """Of a stage that has no user pool."""

    def _refuse(self) -> Conflict:
        return Conflict("This stage has no user pool", "Deploy it anew with this version of Dagy: dagy infra deploy")

    def get(self, user: str) -> User | None:
        raise self._refuse()

    def list_users(self, *, limit: int, cursor: str | None = None) -> Page:
        raise self._refuse()

    def invite(self, email: str, role: Role, *, password: str | None) -> User:
        raise self._refuse()

    def set_role(self, user: str, role: Role) -> User | None:
        raise self._refuse()

    def set_enabled(self, user: str, is_enabled: bool) -> User | None:
        raise self._refuse()

    def remove(self, user: str) -> User | None:
        raise self._refuse()


class CognitoExchange:
    """The pool's token endpoint."""

    def __init__(self, url: str, client_id: str) -> None:
        self._url, self._client_id = url, client_id

    def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> tuple[str, str] | None:
        form = {
            "grant_type": "authorization_code",
            "client_id": self._client_id,
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        status, body = ask(self._url, form)
        if status >= 500:
            raise Unavailable(f"The user pool could not exchange the code (status {status})", "Sign in again.")
        try:
            answer = json.loads(body)
            return (str(answer["access_token"]), str(answer["id_token"])) if status == 200 else None
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
