"""The providers in the credential chain of the AWS SDK for Python v4, by its entry points.

The SDK calls each function here for each new client, in the order of the chain's slots. The order
and the rules of precedence are the SDK's: a profile that code names turns the variables off, and
variables take precedence over other profiles.
"""

from __future__ import annotations

import importlib
import logging
import os
from functools import cache, partial
from importlib import metadata
from typing import TYPE_CHECKING, Any

from irsa_creds._engine.forks import FORKS
from irsa_creds._errors import ConfigError, IrsaError
from irsa_creds._exchange.sources import SOURCES, find_identity, sources_in_use
from irsa_creds._flags import switch
from irsa_creds._identity.settings import EnvironSettings
from irsa_creds._provider import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from irsa_creds._identity.identity import Identity
    from irsa_creds._provider import Provider

__all__ = [
    "of_container",
    "of_profile_role",
    "of_profile_token",
    "of_web_identity",
    "strict",
]

_log = logging.getLogger("irsa_creds")

_GROUP = "smithy_aws_core.identity.chain_providers"
# The rows of `SOURCES`.
_ASSUME_ROLE = "assume-role"
_WEB_IDENTITY = "assume-role-with-web-identity"
_CONTAINER = "container-role"


class ChainSettings(EnvironSettings):
    """Settings as the SDK's chain reads them: its client's region, the files that it has read.

    Args:
        environ: the environment's variables.
        profile: the profile that code or the chain names; None: the variables come first.
        region: the client's region.
        files: the SDK's configuration files; None: the environment names them.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        profile: str | None = None,
        *,
        region: str | None = None,
        files: Any = None,
    ) -> None:
        super().__init__(environ, profile)
        self._region = region
        if files is not None:
            self._merged = {
                part: {name: section.properties for name, section in sections.items()}
                for part, sections in (("profiles", files.profiles), ("services", files.services))
            }

    def sts_arguments(self) -> Mapping[str, Any]:
        return {"client_region": self._region}


class ChainProvider:
    """A provider in the SDK's chain.

    Args:
        name: in the SDK's messages.
        ordering: its place in the chain.
        find: returns the provider of the identity that the state of the chain names, or None.
    """

    def __init__(
        self, name: str, ordering: Any, find: Callable[[Any], Provider | None] | None = None
    ) -> None:
        self.name = name
        self.ordering = ordering
        self._find = find

    async def setup(self, identity_type: type[Any], setup: Any) -> None:
        """Add a resolver to the chain, as its last one, if an identity is configured.

        Raises:
            SmithyIdentityError: a value is malformed or missing. It is also a `ConfigError`.
        """
        if self._find is None:
            return
        resolver = FORKS.import_module("irsa_creds._smithy.resolver")
        if identity_type is not resolver.AWSCredentialsIdentity:
            return
        try:
            provider = FORKS.during(partial(self._find, setup))
        except IrsaError as error:
            caught = error
        else:
            if provider is not None:
                setup.add_terminal_resolver(resolver.IrsaResolver(provider))
            return
        # Raised outside of the handler, the error has no context and one traceback.
        raise resolver.to_smithy(caught)


def strict() -> ChainProvider:
    """Return the provider of `IRSA_CREDS_STRICT=1`: the first one, which never passes on.

    Raises:
        ConfigError: the SDK differs from the tried one, so its other providers would be asked.
    """
    in_use = switch("IRSA_CREDS_STRICT", default=False)
    if in_use and not switch("IRSA_CREDS_DISABLE", default=False) and _interface() is None:
        raise ConfigError(
            "IRSA_CREDS_STRICT=1 is set, and irsa-creds cannot give credentials to this version of "
            "the AWS SDK for Python. Install smithy-aws-core 0.12, or unset IRSA_CREDS_STRICT."
        )
    return _provider("ENVIRONMENT", _find_strictly, in_use=in_use, claim=False)


def of_web_identity() -> ChainProvider:
    """Return the provider of the variables that IRSA sets."""
    return _provider("WEB_IDENTITY", _find_in_variables)


def of_profile_role() -> ChainProvider:
    """Return the provider of profiles with a role, by a web identity or a profile that has one.

    It comes before the slot of roles that a profile assumes: in aws-credentials-sts 0.4.0, the
    provider there takes each profile with a `role_arn`, and fails if it is one of these. No slot
    from there to the one of web identities uses a profile with a `role_arn`.
    """
    return _provider("PROFILE_ROLE", partial(_find_in_profile, "role_arn"), claim=False)


def of_profile_token() -> ChainProvider:
    """Return the provider of profiles with a web identity and without a role: an error."""
    return _provider("PROFILE_TOKEN", partial(_find_in_profile, "web_identity_token_file"))


def of_container() -> ChainProvider:
    """Return the provider of the endpoints of EKS Pod Identity and Amazon ECS."""
    return _provider("CONTAINER", _find_in_container, in_use=_CONTAINER in sources_in_use())


def _provider(
    slot_name: str,
    find: Callable[[Any], Provider | None],
    *,
    in_use: bool = True,
    claim: bool = True,
) -> ChainProvider:
    """Return a provider in a slot, or before it if another package claims it: only one may."""
    interface = _interface()
    if interface is None:
        # An exception would end the client. Only these two names must be there in any version.
        chain = importlib.import_module("smithy_aws_core.identity.chain")
        anywhere = chain.Before(slot=next(iter(chain.StandardProvider)))
        return ChainProvider(f"IrsaCreds{slot_name}", anywhere)
    slot = getattr(interface, slot_name)
    name = f"IrsaCreds{slot.canonical_name}"
    if not in_use or switch("IRSA_CREDS_DISABLE", default=False):
        return ChainProvider(name, interface.Before(slot=slot))
    is_free = claim and slot not in _claimed_slots()
    ordering = interface.Standard(slot=slot) if is_free else interface.Before(slot=slot)
    return ChainProvider(name, ordering, find)


@cache
def _interface() -> Any:
    """Return the module of the SDK's names; None, with one warning, if the SDK lacks one."""
    try:
        return FORKS.import_module("irsa_creds._smithy.interface")
    except (ImportError, AttributeError, TypeError) as error:
        _log.warning(
            "Clients of the AWS SDK for Python get no credentials from irsa-creds: "
            "smithy-aws-core %s differs from 0.12.0, with which irsa-creds was tried (%s). Update "
            "irsa-creds, or install smithy-aws-core 0.12.",
            metadata.version("smithy-aws-core"),
            error,
        )
        return None


@cache
def _claimed_slots() -> frozenset[Any]:
    """Return the slots that other packages claim."""
    standard = _interface().Standard
    orderings = [
        each.load()().ordering
        for each in metadata.entry_points(group=_GROUP)
        if each.module != __name__
    ]
    return frozenset(each.slot for each in orderings if isinstance(each, standard))


def _find_strictly(setup: Any) -> Provider:
    """Return the provider of any source of irsa-creds, in the order of sessions."""
    name = setup.profile_name
    settings = ChainSettings(
        os.environ, name, region=setup.region_override, files=setup.config_file
    )
    arguments = {} if name is None else {"profile": name}
    return REGISTRY.of(find_identity(settings, {}), arguments)


def _find_in_variables(setup: Any) -> Provider | None:
    if setup.profile_name is not None or not os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        return None
    settings = ChainSettings(os.environ, region=setup.region_override)
    return _registered(SOURCES[_WEB_IDENTITY].find(settings, {}), {})


def _find_in_profile(key: str, setup: Any) -> Provider | None:
    files, name = setup.config_file, setup.profile_name
    if files is None or name is None or files.get(name, key) is None:
        return None
    settings = ChainSettings(os.environ, name, region=setup.region_override, files=files)
    found = SOURCES[_ASSUME_ROLE].find(settings, {}) or SOURCES[_WEB_IDENTITY].find(settings, {})
    return _registered(found, {"profile": name})


def _find_in_container(setup: Any) -> Provider | None:
    del setup
    return _registered(SOURCES[_CONTAINER].find(EnvironSettings(os.environ), {}), {})


def _registered(identity: Identity | None, arguments: Mapping[str, Any]) -> Provider | None:
    """Return the provider of an identity; it pickles as these arguments."""
    return None if identity is None else REGISTRY.of(identity, arguments)
