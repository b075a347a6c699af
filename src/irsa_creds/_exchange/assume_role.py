"""AssumeRole: the credentials of the source role sign the request for the target role."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from irsa_creds._exchange.endpoint import signing_region
from irsa_creds._exchange.http import HttpRequest
from irsa_creds._exchange.muting import muted
from irsa_creds._exchange.sts import StsClient, common_headers, role_form

if TYPE_CHECKING:
    from irsa_creds._exchange.advice import Assertion
    from irsa_creds._exchange.chained_fetcher import SigningCredentials
    from irsa_creds._identity.config import Config

__all__ = ["SignedStsClient", "signed_headers"]


class SignedStsClient(StsClient):
    """Requests the credentials of the last chained role, signed by its source role.

    Args:
        config: the identity; it has chained roles.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._role = config.chained_roles[-1]
        self._duration = self._role.duration_seconds
        # botocore does not omit it either.
        self._duration_optional = False
        self._signer = cast("Config", config.source).name
        self._external_id = self._role.external_id

    def _form(self, duration: int | None) -> dict[str, str]:
        role = self._role
        form = role_form("AssumeRole", role, duration)
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

    def _request(self, url: str, form: dict[str, str], assertion: Assertion) -> HttpRequest:
        body = urlencode(form).encode()
        return HttpRequest(
            url,
            signed_headers(self._config, url, body, cast("SigningCredentials", assertion)),
            body,
        )


def signed_headers(
    config: Config, url: str, body: bytes, credentials: SigningCredentials
) -> dict[str, str]:
    """Return the headers of a POST to STS, signed with these credentials."""
    request = AWSRequest("POST", url, common_headers(config), body)
    # At DEBUG the signer logs the session token.
    with muted():
        SigV4Auth(credentials, "sts", signing_region(config)).add_auth(request)
    return dict(request.headers.items())
