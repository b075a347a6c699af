"""The facts about a container credentials endpoint, without secrets and without network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._errors import ConfigError, TokenError
from irsa_creds._identity.container import find_container
from irsa_creds._identity.not_configured import obstacle
from irsa_creds._masking import safe_str

if TYPE_CHECKING:
    from collections.abc import Mapping

    from irsa_creds._identity.settings import Settings

__all__ = ["ContainerFacts", "gather_container"]


class ContainerFacts(NamedTuple):
    """What the environment says about EKS Pod Identity, or another such endpoint.

    Attributes:
        error: why the variables are not valid; else empty.
        url: the endpoint, as messages show it.
        is_pod_identity: whether it has a token file, as EKS Pod Identity.
        token_error: why the token cannot be read; else empty.
        claims: of the token; None if it is not a JWT.
    """

    error: str = ""
    url: str = ""
    is_pod_identity: bool = False
    token_error: str = ""
    claims: Mapping[str, Any] | None = None

    @property
    def service(self) -> str:
        """The name of the endpoint in messages."""
        return "EKS Pod Identity" if self.is_pod_identity else "a container credentials endpoint"


def gather_container(settings: Settings) -> ContainerFacts | None:
    """Return the facts; None if no variable names an endpoint, or code named another source."""
    if settings.explicit_profile and obstacle(settings, {}):
        return None
    try:
        endpoint = find_container(settings, {})
    except ConfigError as error:
        return ContainerFacts(error=str(error))
    if endpoint is None:
        return None
    found = ContainerFacts(url=endpoint.name, is_pod_identity=endpoint.is_pod_identity)
    try:
        return found._replace(claims=endpoint.token_source().read().claims)
    except TokenError as error:
        known = error.failure.message if error.failure else safe_str(error)
        return found._replace(token_error=known)
