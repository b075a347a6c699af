"""The exchange of a further role: the credentials of the one before sign it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import urlencode

from irsa_creds._endpoint import signing_region
from irsa_creds._http import Request
from irsa_creds._signature import signed
from irsa_creds._sts import Exchange, basic_form, common_headers, policies_form

if TYPE_CHECKING:
    from irsa_creds._answer import Proof
    from irsa_creds._config import Config
    from irsa_creds._credentials import Credentials

__all__ = ["ChainExchange", "Key", "signed_headers"]


class Key(NamedTuple):
    """The credentials that a request is signed with, in the place of a token.

    Attributes:
        credentials: of the role before.
    """

    credentials: Credentials

    @property
    def value(self) -> str:
        """What of it is sent, and is a secret."""
        return self.credentials.session_token

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may hold: the secret key is not sent, but the server knows it."""
        return self.value, self.credentials.secret_access_key

    @property
    def fingerprint(self) -> str:
        """What tells it from others."""
        return self.credentials.access_key_id

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


class ChainExchange(Exchange):
    """Asks STS for the credentials of the last role of a chain, signed by the role before.

    Args:
        config: who asks for what, and where; its chain is not empty.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._hop = config.chain[-1]
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

    def _request(self, url: str, form: dict[str, str], token: Proof) -> Request:
        body = urlencode(form).encode()
        credentials = cast("Key", token).credentials
        return Request(url, signed_headers(self._config, url, body, credentials), body)


def signed_headers(
    config: Config, url: str, body: bytes, credentials: Credentials
) -> dict[str, str]:
    """Return the headers of a POST to STS that these credentials sign now."""
    headers = common_headers()
    # botocore does not sign it either: proxies may change it.
    agent = {"User-Agent": headers.pop("User-Agent")}
    signature = signed(
        headers,
        body,
        url=url,
        credentials=credentials,
        region=signing_region(config),
        service="sts",
        now=datetime.now(UTC),
    )
    return {**signature, **agent}
