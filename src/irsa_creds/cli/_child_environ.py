"""The environment of a program whose AWS SDK is to ask the endpoint, and nobody else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REMOVED", "child_environ", "defaults", "past_proxies", "with_defaults"]

#: All that comes before the endpoint in the chains of the SDKs, or changes what they ask there.
#: Sources: botocore 1.43.117, credentials.create_credential_resolver; AWS SDKs and Tools Reference
#: Guide, "Standardized credential providers"; AWS_ACCESS_KEY, AWS_SECRET_KEY: Go and Java of old;
#: AMAZON_*: Ruby; AWS_CREDENTIAL_PROFILES_FILE: Java of old; AWS_CREDENTIAL_FILE: EC2's tools of
#: old, and botocore; AWS_BEARER_TOKEN_BEDROCK: Amazon Bedrock User Guide, "API keys".
REMOVED = (
    "AMAZON_ACCESS_KEY_ID",
    "AMAZON_SECRET_ACCESS_KEY",
    "AMAZON_SESSION_TOKEN",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_CREDENTIAL_FILE",
    "AWS_CREDENTIAL_PROFILES_FILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
_FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG")
# Some libraries look at the one first, some at the other.
_NO_PROXY = ("NO_PROXY", "no_proxy")
# The first is that of all SDKs but botocore, the second is botocore's.
_REGION, _DEFAULT_REGION = "AWS_REGION", "AWS_DEFAULT_REGION"


def child_environ(environ: Mapping[str, str], *, files: bool = True) -> dict[str, str]:
    """Return an environment without what would beat the endpoint.

    Args:
        environ: what it is made of.
        files: let the SDKs read AWS's configuration files.
    """
    kept = {name: value for name, value in environ.items() if name not in REMOVED}
    return kept if files else {**kept, **dict.fromkeys(_FILES, os.devnull)}


def defaults(region: str | None) -> dict[str, str]:
    """Return what a program is to have unless its environment says otherwise.

    The node's metadata are off: some SDKs go on there, to the node's role, when the endpoint fails
    (aws/aws-sdk-java-v2, issue 1915). With them goes the region that the SDKs would find there.

    Args:
        region: the pod's; None where nothing names it.
    """
    # STS's global endpoint is no region of any other service.
    known = region if region != "aws-global" else None
    regions = {} if known is None else dict.fromkeys((_REGION, _DEFAULT_REGION), known)
    return {"AWS_EC2_METADATA_DISABLED": "true", **regions}


def with_defaults(environ: Mapping[str, str], region: str | None) -> dict[str, str]:
    """Return an environment with `defaults` where it has nothing itself.

    Args:
        environ: what `child_environ` returned.
        region: the pod's, for where `environ` names none.
    """
    own = environ.get(_REGION) or environ.get(_DEFAULT_REGION)
    return {
        **environ,
        **{name: environ.get(name) or value for name, value in defaults(own or region).items()},
    }


def past_proxies(environ: Mapping[str, str], host: str) -> dict[str, str]:
    """Return the variables that let a program reach `host` without the proxy that it may have.

    Args:
        environ: the program's, whose own exceptions stay.
        host: the endpoint's.
    """
    own = {name: environ.get(name) for name in _NO_PROXY}
    known = next(filter(None, own.values()), "")
    return {name: _with_host(value or known, host) for name, value in own.items()}


def _with_host(exceptions: str, host: str) -> str:
    names = [name.strip() for name in exceptions.split(",")]
    # A star means all hosts only where it stands alone.
    if host in names or names == ["*"]:
        return exceptions
    return f"{exceptions},{host}" if exceptions else host
