"""The endpoint that hands out a container's credentials: EKS Pod Identity, Amazon ECS, others.

The rules are from botocore 1.44.8: credentials.ContainerProvider, utils.ContainerMetadataFetcher.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from irsa_creds._errors import ConfigError, Failure
from irsa_creds._identity import validation
from irsa_creds._identity.settings import FULL_URI, RELATIVE_URI
from irsa_creds._identity.token import GivenToken, Token, TokenFile
from irsa_creds._masking import JWT, quoted, quoted_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from irsa_creds._identity.settings import Settings

__all__ = ["ContainerEndpoint", "find_container"]

_TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"  # noqa: S105 - a variable's name
_TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"  # noqa: S105 - a variable's name
# Plain HTTP is for the loopback and these hosts: Amazon ECS, EKS Pod Identity (IPv4 and IPv6).
_ECS = "169.254.170.2"
_HOSTS = (_ECS, "169.254.170.23", "fd00:ec2::23", "localhost")
# A long part of the path: with the id in its URI, Amazon ECS requires no token.
_SECRET = r"(?<=/)[^/]{24,}"  # noqa: S105 - a pattern
_HEADER = r"[\x20-\x7e]*"


class ContainerEndpoint:
    """The identity that a container credentials endpoint hands out.

    Args:
        url: the endpoint; its query, and long parts of its path, may be secret.
        token_file: the file of the authorization token, which is read for every request.
        token: the authorization token, if no file is named; "" for none.
        region: the region that settings name; it is not part of the identity.
    """

    method = "container-role"
    source = None
    #: CREDENTIALS_HTTP, as botocore registers it.
    features = frozenset({"z"})

    def __init__(self, url: str, *, token_file: str | None, token: str, region: str | None) -> None:
        self.url = url
        self.token_file = token_file
        self.region = region
        self._token = token
        address, _, query = url.partition("?")
        scheme, _, rest = address.partition("//")
        #: The URL as messages show it.
        self.name: str = f"{scheme}//{re.sub(_SECRET, '***', rest)}"
        #: The parts of the URL that no message may contain.
        self.secrets: tuple[str, ...] = (*re.findall(_SECRET, rest), query)

    @property
    def is_pod_identity(self) -> bool:
        """Whether it is the EKS Pod Identity Agent: the other endpoints have no token file."""
        return self.token_file is not None

    def token_source(self) -> _AuthorizationFile | GivenToken:
        """Return the reader of the authorization token."""
        if self.token_file is None:
            return GivenToken(self._token)
        return _AuthorizationFile(self.token_file)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContainerEndpoint) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[str | None, ...]:
        return self.url, self.token_file, self._token

    def __repr__(self) -> str:
        return f"<ContainerEndpoint {self.name}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A ContainerEndpoint does not pickle: secrets must not travel.")


class _AuthorizationFile(TokenFile):
    MISSING = (
        "Check that the pod was created after its Pod Identity association, and that "
        f"{_TOKEN_FILE} is a path in a mounted volume."
    )
    CONTENT = "It must contain an authorization token and nothing else."

    def _checked(self, content: bytes, modified: float) -> Token | Failure:
        found = super()._checked(content, modified)
        if isinstance(found, Token) and not re.fullmatch(_HEADER, found.value):
            return self._invalid("contains characters that an HTTP header cannot have")
        return found


def find_container(settings: Settings, arguments: Mapping[str, Any]) -> ContainerEndpoint | None:
    """Return the endpoint that the environment names; None if there is none.

    Args:
        settings: has the variables.
        arguments: of `provider()`: the region.

    Raises:
        ConfigError: a variable is malformed, or its host may not be called over plain HTTP.
    """
    relative, full = settings.variable(RELATIVE_URI), settings.variable(FULL_URI)
    if relative is None and full is None:
        return None
    if relative is not None:
        url = _checked(f"http://{_ECS}{relative}", RELATIVE_URI)
    else:
        url = _checked(full or "", FULL_URI)
    file = settings.variable(_TOKEN_FILE)
    return ContainerEndpoint(
        url,
        token_file=None if file is None else _checked_file(file),
        token=_checked_token("" if file is not None else settings.variable(_TOKEN) or ""),
        region=_checked_region(arguments.get("region"))
        or settings.variable("AWS_REGION")
        or settings.variable("AWS_DEFAULT_REGION")
        or settings.profile("region"),
    )


def _checked(url: str, origin: str) -> str:
    """Return the URL of an endpoint that may be called.

    Raises:
        ConfigError: it is malformed, or its host may not be called over plain HTTP.
    """
    # Text before an @ is a user or a password, which no message may contain.
    if "@" in url or not validation.is_http_url(url):
        raise ConfigError(
            f"{origin} is not the URL of an endpoint, or has a user and password; give one like "
            "http://169.254.170.23/v1/credentials."
        )
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or host in _HOSTS or _is_loopback(host):
        return url
    raise ConfigError(
        f"{origin} names the host {quoted(host)}, but plain HTTP is only for a loopback "
        f"address and the hosts {', '.join(_HOSTS)}; use https://, or one of these hosts."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_region(argument: str | None) -> str | None:
    return validation.region(argument, "The argument region") if argument else None


def _checked_file(path: str) -> str:
    if path and "\0" not in path and not re.search(JWT, path):
        return path
    raise ConfigError(
        f"{_TOKEN_FILE} is {quoted_path(path)}, which is not a path; set it to the path "
        "of the file that contains the authorization token."
    )


def _checked_token(token: str) -> str:
    if re.fullmatch(_HEADER, token):
        return token
    raise ConfigError(
        f"{_TOKEN} contains line breaks or other characters that an HTTP header cannot have; "
        "set it to the token and nothing else."
    )
