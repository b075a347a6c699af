"""STS's URL by botocore's own rules, without a botocore client."""

from __future__ import annotations

import contextlib
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.loaders import create_loader

from irsa_creds._errors import ConfigError

with contextlib.suppress(ImportError):
    # Private to botocore: without it, `_by_client` finds the URL.
    from botocore.endpoint_provider import EndpointProvider

if TYPE_CHECKING:
    from irsa_creds._identity.config import Config

__all__ = ["API_VERSION", "endpoint_url", "signing_region"]

# STS's only API version (botocore 1.44.8, data/sts).
API_VERSION = "2011-06-15"
# The global endpoint's (botocore 1.44.8, data/sts, `signingRegion` of the rule set).
_GLOBAL_SIGNING_REGION = "us-east-1"

# Not in botocore's public API (checked in 1.40.61, 1.43.117 and 1.44.8), all used in `_by_rules`:
# `endpoint_provider.EndpointProvider(ruleset_data, partition_data)`, its `resolve_endpoint` with
# the parameters of STS's rule set, and these names of the two data files.
RULE_SET = f"sts/{API_VERSION}/endpoint-rule-set-1"
PARTITIONS = "partitions"


def endpoint_url(config: Config) -> str:
    """Return STS's URL.

    Args:
        config: its custom endpoint, if there is one; else botocore's rules for its region, FIPS,
            dual stack and "legacy".

    Raises:
        ConfigError: botocore has no endpoint for this combination.
    """
    if config.endpoint_url is not None:
        return config.endpoint_url
    try:
        return _by_rules(config)
    except Exception:  # noqa: BLE001, S110 - no endpoint or no rules: the client knows
        pass
    try:
        return _by_client(config)
    except Exception as error:  # noqa: BLE001 - botocore raises a dozen classes
        reason = str(error)
    raise ConfigError(
        f"No STS endpoint in botocore for region {config.region or '(none)'} with "
        f"FIPS {_on(config.use_fips)} and dual stack {_on(config.use_dualstack)}: {reason}"
    )


def signing_region(config: Config) -> str:
    """Return the region of a request's signature, as botocore's clients do.

    Args:
        config: the global endpoint's region is us-east-1, wherever the caller is.
    """
    if config.region is None or config.legacy_global:
        return _GLOBAL_SIGNING_REGION
    return _GLOBAL_SIGNING_REGION if config.region == "aws-global" else config.region


def _by_rules(config: Config) -> str:
    """Evaluate botocore's rule set for STS, as its clients do (1.44.8, args.py)."""
    loader = create_loader(os.environ.get("AWS_DATA_PATH"))
    provider = EndpointProvider(loader.load_data(RULE_SET), loader.load_data(PARTITIONS))
    endpoint = provider.resolve_endpoint(
        Region=config.region or "aws-global",
        UseFIPS=config.use_fips,
        UseDualStack=config.use_dualstack,
        # The rule set lists the regions without a regional endpoint under "legacy".
        UseGlobalEndpoint=config.legacy_global,
    )
    return str(endpoint.url)


def _by_client(config: Config) -> str:
    """Return the URL of a temporary botocore client, by public names only: 40 ms and 8 MB."""
    from botocore.config import Config as ClientConfig  # noqa: PLC0415 - see the package
    from botocore.session import Session  # noqa: PLC0415 - see the package

    # No profile, and static keys: botocore reads no file and runs no credential provider chain.
    session = Session(session_vars={"profile": (None, None, None, None)})
    session.set_config_variable(
        "sts_regional_endpoints", "legacy" if config.legacy_global else "regional"
    )
    client = session.create_client(
        "sts",
        region_name=config.region or "aws-global",
        aws_access_key_id="unused",
        aws_secret_access_key="unused",  # noqa: S106
        config=ClientConfig(
            use_fips_endpoint=config.use_fips,
            use_dualstack_endpoint=config.use_dualstack,
            ignore_configured_endpoint_urls=True,
        ),
    )
    urls: list[str] = []

    def respond(params: dict[str, Any], **_: object) -> tuple[SimpleNamespace, dict[str, Any]]:
        urls.append(params["url"])
        return SimpleNamespace(status_code=200), {}

    client.meta.events.register("before-call.sts.AssumeRoleWithWebIdentity", respond)
    client.assume_role_with_web_identity(
        RoleArn="arn:aws:iam::123456789012:role/unused",
        RoleSessionName="unused",
        WebIdentityToken="unused",
    )
    return urls[0].removesuffix("/")


def _on(flag: bool) -> str:  # noqa: FBT001
    return "on" if flag else "off"
