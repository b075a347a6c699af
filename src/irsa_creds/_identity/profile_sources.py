"""The keys that make a profile a source of credentials, in the order of botocore's chain."""

from __future__ import annotations

from irsa_creds._record import Record

__all__ = ["ASSUMED", "LATER", "OWN_PROCESS", "WEB_IDENTITY", "ProfileKeys"]


class ProfileKeys(Record):
    """A provider of the chain that reads a profile.

    Attributes:
        what: in words, for messages.
        keys: each makes botocore use this source, or fail if another key is missing.
        others: the same for SDKs of other languages.
        shared: whether it reads only the shared credentials file; None means both files.
    """

    __slots__ = ()

    what: str
    keys: tuple[str, ...]
    others: tuple[str, ...] = ()
    shared: bool | None = None


# Source: botocore 1.43.117, credentials.create_credential_resolver and ProfileProviderBuilder;
# `others`: aws-sdk-go-v2, config.resolveCredentialChain.
ASSUMED = ProfileKeys("role", ("role_arn",), ("source_profile", "credential_source"))
WEB_IDENTITY = ProfileKeys("web identity", ("web_identity_token_file",))
#: Sources after the web identity.
LATER = (
    ProfileKeys(
        "single sign-on", ("sso_account_id", "sso_role_name"), ("sso_session", "sso_start_url")
    ),
    ProfileKeys("key", ("aws_access_key_id",), shared=True),
    ProfileKeys("login", ("login_session",)),
    ProfileKeys("credential_process", ("credential_process",)),
    ProfileKeys("key", ("aws_access_key_id",), shared=False),
)
#: A `credential_process` of irsa-creds, with the identity of its environment.
OWN_PROCESS = r"(?:\S*/)?irsa-creds process\b(?!.*--(?:profile|role-arn|token-file)\b).*"
