"""The names of the AWS SDK for Python v4 that irsa-creds uses, checked by importing this module.

The SDK's packages are below version 1, so each release may change them. An import fails with
ImportError, AttributeError or TypeError if a name is missing. Tried with smithy-aws-core 0.12.0 and
smithy-core 0.9.0.
"""

from __future__ import annotations

from smithy_aws_core.config.merged_config import MergedConfig
from smithy_aws_core.identity import AWSCredentialsIdentity
from smithy_aws_core.identity.chain import Before, ChainSetup, Standard, StandardProvider
from smithy_core.exceptions import SmithyIdentityError

__all__ = [
    "CONTAINER",
    "ENVIRONMENT",
    "PROFILE_ROLE",
    "PROFILE_TOKEN",
    "WEB_IDENTITY",
    "AWSCredentialsIdentity",
    "Before",
    "SmithyIdentityError",
    "Standard",
]

#: The slots of the chain: each is a place in the order of precedence.
ENVIRONMENT = StandardProvider.ENVIRONMENT
WEB_IDENTITY = StandardProvider.WEB_IDENTITY_TOKEN_ENV
PROFILE_ROLE = StandardProvider.PROFILE_ASSUME_ROLE
PROFILE_TOKEN = StandardProvider.PROFILE_WEB_IDENTITY
CONTAINER = StandardProvider.ECS_CONTAINER

_USED = (
    ChainSetup.add_terminal_resolver,
    ChainSetup.config_file,
    ChainSetup.profile_name,
    ChainSetup.region_override,
    MergedConfig.get,
    MergedConfig.profiles,
    MergedConfig.services,
    Before(slot=WEB_IDENTITY),
    Standard(slot=WEB_IDENTITY).slot.canonical_name,
    AWSCredentialsIdentity(
        access_key_id="", secret_access_key="", session_token="", expiration=None, account_id=None
    ),
)
