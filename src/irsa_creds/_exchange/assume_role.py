"""AssumeRole: the credentials of the source role sign the request for the target role."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import urlencode

from irsa_creds._exchange.endpoint import signing_region
from irsa_creds._exchange.http import Request
from irsa_creds._exchange.muting import muted
from irsa_creds._exchange.sts import StsClient, basic_form, common_headers, policies_form

if TYPE_CHECKING:
    from irsa_creds._credentials import Credentials
    from irsa_creds._exchange.sts import Assertion
    from irsa_creds._identity.config import Config

__all__ = ["SignedStsClient", "SigningCredentials", "signed_headers"]


class SigningCredentials(NamedTuple):
    """The source role's credentials, which sign the request.

    botocore's signer accepts it: it reads `access_key`, `secret_key` and `token`. The import of
    botocore's own class takes 46 ms.

    Attributes:
        credentials: of the source role.
    """

    credentials: Credentials

    @property
    def access_key(self) -> str:
        return self.credentials.access_key_id

    @property
    def secret_key(self) -> str:
        return self.credentials.secret_access_key

    @property
    def token(self) -> str:
        return self.credentials.session_token

    @property
    def value(self) -> str:
        """The secret that is sent."""
        return self.token

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may contain: the server knows the secret key, which is not sent."""
        return self.token, self.secret_key

    @property
    def fingerprint(self) -> str:
        """The access key id."""
        return self.access_key

    @property
    def claims(self) -> None:
        """None: not a JWT."""
        return

    @property
    def written(self) -> None:
        """None: not from a file."""
        return

    def shape(self) -> str:
        """Return the length of the session token."""
        return f"{len(self.value):,} characters"

    def __repr__(self) -> str:
        return f"<SigningCredentials ...{self.fingerprint[-4:]}>"


class SignedStsClient(StsClient):
    """Requests the credentials of the last role of a chain, signed by its source role.

    Args:
        config: the identity; its chain is not empty.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._role = config.chained_roles[-1]
        self._duration = self._role.duration_seconds
        # botocore does not omit it either.
        self._duration_optional = False

    @property
    def _signer(self) -> str:
        return cast("Config", self._config.source).final_role_arn

    @property
    def _external_id(self) -> str | None:
        return self._role.external_id

    def _form(self, duration: int | None) -> dict[str, str]:
        role = self._role
        form = {
            **basic_form("AssumeRole", role.role_arn, role.session_name, duration),
            **policies_form(role.policy, role.policy_arns),
        }
        for number, (key, value) in enumerate(role.tags, 1):
            form[f"Tags.member.{number}.Key"] = key
            form[f"Tags.member.{number}.Value"] = value
        for number, key in enumerate(role.transitive_tag_keys, 1):
            form[f"TransitiveTagKeys.member.{number}"] = key
        if role.external_id is not None:
            form["ExternalId"] = role.external_id
        if role.source_identity is not None:
            form["SourceIdentity"] = role.source_identity
        return form

    def _request(self, url: str, form: dict[str, str], token: Assertion) -> Request:
        body = urlencode(form).encode()
        return Request(
            url, signed_headers(self._config, url, body, cast("SigningCredentials", token)), body
        )


def signed_headers(
    config: Config, url: str, body: bytes, credentials: SigningCredentials
) -> dict[str, str]:
    """Return the headers of a POST to STS, signed with these credentials."""
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - only role chaining signs
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415

    request = AWSRequest("POST", url, common_headers(), body)
    # At DEBUG the signer logs the session token.
    with muted():
        SigV4Auth(credentials, "sts", signing_region(config)).add_auth(request)
    return dict(request.headers.items())
