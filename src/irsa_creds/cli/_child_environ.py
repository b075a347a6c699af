"""The environment for a program with an AWS SDK that must use the endpoint."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REMOVED", "child_environ", "defaults", "with_defaults", "without_proxy"]

#: Variables that take precedence over the endpoint in SDKs, or change their request to it.
#: Sources: botocore 1.43.117, credentials.create_credential_resolver; AWS SDKs and Tools Reference
#: Guide, "Standardized credential providers"; AWS_ACCESS_KEY, AWS_SECRET_KEY: old Go and Java SDKs;
#: AMAZON_*: Ruby; AWS_CREDENTIAL_PROFILES_FILE: old Java SDK; AWS_CREDENTIAL_FILE: old EC2 tools
#: and botocore; AWS_BEARER_TOKEN_BEDROCK: Amazon Bedrock User Guide, "API keys".
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
# Libraries differ in which of the two they read first.
_NO_PROXY = ("NO_PROXY", "no_proxy")
# botocore reads the second one, all other SDKs the first.
_REGION, _DEFAULT_REGION = "AWS_REGION", "AWS_DEFAULT_REGION"


def child_environ(environ: Mapping[str, str], *, files: bool = True) -> dict[str, str]:
    """Return an environment without variables that take precedence over the endpoint.

    Args:
        environ: the original environment.
        files: whether SDKs may read the AWS configuration files.
    """
    kept = {name: value for name, value in environ.items() if name not in REMOVED}
    return kept if files else {**kept, **dict.fromkeys(_FILES, os.devnull)}


def defaults(region: str | None) -> dict[str, str]:
    """Return variables for a program that its environment may override.

    They disable the node's metadata: some SDKs use the node's role when the endpoint fails
    (aws/aws-sdk-java-v2, issue 1915). SDKs then need the region from elsewhere.

    Args:
        region: of the pod; None if it is not known.
    """
    # The name of STS's global endpoint is not a region of other services.
    known = region if region != "aws-global" else None
    regions = {} if known is None else dict.fromkeys((_REGION, _DEFAULT_REGION), known)
    return {"AWS_EC2_METADATA_DISABLED": "true", **regions}


def with_defaults(environ: Mapping[str, str], region: str | None) -> dict[str, str]:
    """Return an environment with `defaults` for variables that it lacks.

    Args:
        environ: the result of `child_environ`.
        region: of the pod, if `environ` has none.
    """
    own = environ.get(_REGION) or environ.get(_DEFAULT_REGION)
    return {
        **environ,
        **{name: environ.get(name) or value for name, value in defaults(own or region).items()},
    }


def without_proxy(environ: Mapping[str, str], host: str) -> dict[str, str]:
    """Return variables that exempt `host` from a program's proxy.

    Args:
        environ: of the program; its own exemptions are kept.
        host: of the endpoint.
    """
    own = {name: environ.get(name) for name in _NO_PROXY}
    known = next(filter(None, own.values()), "")
    return {name: _with_host(value or known, host) for name, value in own.items()}


def _with_host(exceptions: str, host: str) -> str:
    names = [name.strip() for name in exceptions.split(",")]
    # A star means all hosts only if it is the only entry.
    if host in names or names == ["*"]:
        return exceptions
    return f"{exceptions},{host}" if exceptions else host
