"""The part of the AWS SDK for Python v4 that irsa-creds uses, for a Python without the SDK.

`make test-smithy` runs the same tests with the SDK itself.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


class SmithyIdentityError(Exception):
    pass


@dataclass(kw_only=True)
class AWSCredentialsIdentity:
    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    expiration: datetime | None = None
    account_id: str | None = None


@dataclass
class Section:
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass
class StandardizedOutput:
    profiles: dict[str, Section] = field(default_factory=dict)
    services: dict[str, Section] = field(default_factory=dict)


class MergedConfig:
    def __init__(self, config: StandardizedOutput, credentials: StandardizedOutput) -> None:
        self._merged = config.profiles | credentials.profiles
        self._services = config.services

    @property
    def profiles(self) -> dict[str, Section]:
        return self._merged

    @property
    def services(self) -> dict[str, Section]:
        return self._services

    def get(self, profile_name: str, key: str) -> str | None:
        return self._merged.get(profile_name, Section()).properties.get(key)


class StandardProvider(enum.Enum):
    ENVIRONMENT = "Environment"
    WEB_IDENTITY_TOKEN_ENV = "WebIdentityTokenEnv"
    PROFILE_ASSUME_ROLE = "ProfileAssumeRole"
    PROFILE_WEB_IDENTITY = "ProfileWebIdentity"
    ECS_CONTAINER = "EcsContainer"

    @property
    def canonical_name(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Standard:
    slot: StandardProvider


@dataclass(frozen=True, kw_only=True)
class Before:
    slot: StandardProvider


class ChainSetup:
    def __init__(
        self,
        *,
        config_file: MergedConfig | None = None,
        profile_name: str | None = None,
        region_override: str | None = None,
    ) -> None:
        self._given = (config_file, profile_name, region_override)
        self._resolvers: list[Any] = []

    @property
    def config_file(self) -> MergedConfig | None:
        return self._given[0]

    @property
    def profile_name(self) -> str | None:
        return self._given[1]

    @property
    def region_override(self) -> str | None:
        return self._given[2]

    @property
    def resolvers(self) -> tuple[Any, ...]:
        return tuple(self._resolvers)

    def set_current_provider(self, provider: object) -> None:
        """Do nothing: only the SDK's messages name the provider."""

    def add_terminal_resolver(self, resolver: object) -> None:
        self._resolvers.append(resolver)


_PLACES: dict[str, Iterable[type]] = {
    "smithy_core": (),
    "smithy_core.exceptions": (SmithyIdentityError,),
    "smithy_aws_core": (),
    "smithy_aws_core.config": (),
    "smithy_aws_core.config.file_parser": (Section, StandardizedOutput),
    "smithy_aws_core.config.merged_config": (MergedConfig,),
    "smithy_aws_core.identity": (AWSCredentialsIdentity,),
    "smithy_aws_core.identity.chain": (Before, ChainSetup, Standard, StandardProvider),
}


def modules() -> dict[str, ModuleType]:
    """Return the modules of the SDK by their names."""
    made = {name: ModuleType(name) for name in _PLACES}
    for name, classes in _PLACES.items():
        vars(made[name]).update({each.__name__: each for each in classes})
    return made
