"""The exchange of a further role: the credentials of the one before sign it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import urlencode

from irsa_creds._exchange.endpoint import signing_region
from irsa_creds._exchange.http import Request
from irsa_creds._exchange.muting import muted
from irsa_creds._exchange.sts import StsClient, basic_form, common_headers, policies_form

if TYPE_CHECKING:
    from irsa_creds._credentials import Credentials
    from irsa_creds._exchange.response import Assertion
    from irsa_creds._identity.config import Config

__all__ = ["SignedStsClient", "SigningCredentials", "signed_headers"]


class SigningCredentials(NamedTuple):
    """The credentials that a request is signed with, in the place of a token.

    botocore's signer takes it for credentials of its own: it reads `access_key`, `secret_key` and
    `token`, and importing `botocore.credentials` for theirs takes 46 ms.

    Attributes:
        credentials: of the role before.
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
        """What of it is sent, and is a secret."""
        return self.token

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may hold: the secret key is not sent, but the server knows it."""
        return self.token, self.secret_key

    @property
    def fingerprint(self) -> str:
        """What tells it from others."""
        return self.access_key

    @property
    def claims(self) -> None:
        """None: it is no JWT."""
        return

    @property
    def written(self) -> None:
        """None: it comes from no file."""
        return

    def shape(self) -> str:
        """Return what may be told of its content."""
        return f"{len(self.value):,} characters"

    def __repr__(self) -> str:
        return f"<Key ...{self.fingerprint[-4:]}>"


class SignedStsClient(StsClient):
    """Asks STS for the credentials of the last role of a chain, signed by the role before.

    Args:
        config: who asks for what, and where; its chain is not empty.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._hop = config.chained_roles[-1]
        self._duration = self._hop.duration_seconds
        # botocore sends it as well, and fails.
        self._may_leave_duration_out = False

    @property
    def _signer(self) -> str:
        return self._config.source.final_role_arn

    @property
    def _external_id(self) -> str | None:
        return self._hop.external_id

    def _form(self, duration: int | None) -> dict[str, str]:
        hop = self._hop
        form = {
            **basic_form("AssumeRole", hop.role_arn, hop.session_name, duration),
            **policies_form(hop.policy, hop.policy_arns),
        }
        for number, (key, value) in enumerate(hop.tags, 1):
            form[f"Tags.member.{number}.Key"] = key
            form[f"Tags.member.{number}.Value"] = value
        for number, key in enumerate(hop.transitive_tag_keys, 1):
            form[f"TransitiveTagKeys.member.{number}"] = key
        if hop.external_id is not None:
            form["ExternalId"] = hop.external_id
        if hop.source_identity is not None:
            form["SourceIdentity"] = hop.source_identity
        return form

    def _request(self, url: str, form: dict[str, str], token: Assertion) -> Request:
        body = urlencode(form).encode()
        return Request(
            url, signed_headers(self._config, url, body, cast("SigningCredentials", token)), body
        )


def signed_headers(
    config: Config, url: str, body: bytes, key: SigningCredentials
) -> dict[str, str]:
    """Return the headers of a POST to STS that these credentials sign now."""
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - only a chain of roles signs
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415

    request = AWSRequest("POST", url, common_headers(), body)
    # At DEBUG the signer logs the session token.
    with muted():
        SigV4Auth(key, "sts", signing_region(config)).add_auth(request)
    return dict(request.headers.items())
