"""What makes a profile a source of credentials, in the order of botocore's chain."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ASSUMED", "LATER", "WEB_IDENTITY", "Source"]


class Source(NamedTuple):
    """A link of the chain that reads a profile.

    Attributes:
        what: in words, for messages.
        keys: each makes botocore take this source, or fail on it where another key is missing.
        others: each makes an SDK of another language do so.
        shared: whether it looks into the shared credentials file alone; None: into both files.
    """

    what: str
    keys: tuple[str, ...]
    others: tuple[str, ...] = ()
    shared: bool | None = None


# Source: botocore 1.43.117, credentials.create_credential_resolver and ProfileProviderBuilder;
# `others`: aws-sdk-go-v2, config.resolveCredentialChain.
ASSUMED = Source("role", ("role_arn",), ("source_profile", "credential_source"))
WEB_IDENTITY = Source("web identity", ("web_identity_token_file",))
#: What comes after the web identity.
LATER = (
    Source("single sign-on", ("sso_account_id", "sso_role_name"), ("sso_session", "sso_start_url")),
    Source("key", ("aws_access_key_id",), shared=True),
    Source("login", ("login_session",)),
    Source("credential_process", ("credential_process",)),
    Source("key", ("aws_access_key_id",), shared=False),
)
