"""The results of the network calls, as values without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from irsa_creds._errors import Failure

__all__ = ["Caller", "Connected", "Exchanged", "IssuerDocuments", "Lookup", "OnlineFacts", "Probe"]


class Lookup(NamedTuple):
    """N01: the addresses of a host, or the error."""

    host: str
    addresses: tuple[str, ...] = ()
    error: str = ""


class Connected(NamedTuple):
    """N02: the address that accepted a connection, or the error."""

    address: str = ""
    error: str = ""


class Probe(NamedTuple):
    """N02 to N05: the response to a request without secrets.

    Attributes:
        status: the HTTP status; None without a response.
        code: the class name of the network error.
        reason: the error in words.
        skew: seconds by which the clock of STS is ahead; None if the response has no date.
    """

    status: int | None = None
    code: str = ""
    reason: str = ""
    skew: float | None = None


class IssuerDocuments(NamedTuple):
    """N06: the token's issuer and the documents that it publishes.

    Attributes:
        url: the claim `iss`.
        region: of an EKS cluster, from the URL.
        kid: the id of the key that signed the token.
        error: why the documents could not be fetched.
        named: the issuer in the discovery document.
        kids: the ids of the published keys.
    """

    url: str
    region: str | None = None
    kid: str | None = None
    error: str = ""
    named: str | None = None
    kids: tuple[str, ...] = ()


class Exchanged(NamedTuple):
    """S01: the role's session.

    Attributes:
        arn: of the session.
        seconds: the lifetime of its credentials.
    """

    arn: str | None
    seconds: float


class Caller(NamedTuple):
    """S02: the identity of a program with botocore's default chain.

    Attributes:
        arn: of the identity.
        method: botocore's name of the first provider with credentials, such as "env"; else empty.
        error: why the identity is not known; all three are empty if there are no credentials.
    """

    arn: str | None = None
    method: str = ""
    error: str = ""


class OnlineFacts(NamedTuple):
    """The results of all steps; None means that a step was not tried.

    Attributes:
        settings_error: why the endpoint is not known; else empty.
        url: the STS endpoint, without user and password.
        is_aws: whether it belongs to AWS.
        region: of STS; None is the global endpoint.
        ca_bundle: the file with CA certificates; None means the bundle of botocore.
        proxy: the URL of the proxy, without user and password; None without a proxy.
        proxy_error: why the configured proxy cannot be used.
        bypassed: whether NO_PROXY exempts the host.
        role_arn: the role for the token; None if no web identity is configured.
        final_role_arn: the last role of a chain of `source_profile` keys, else the same.
        no_token: why there is no token; empty if there is one.
    """

    settings_error: str = ""
    url: str = ""
    is_aws: bool = True
    region: str | None = None
    ca_bundle: str | None = None
    proxy: str | None = None
    proxy_error: str = ""
    bypassed: bool = False
    role_arn: str | None = None
    final_role_arn: str | None = None
    no_token: str = ""
    lookup: Lookup | None = None
    connection: Connected | None = None
    probe: Probe | None = None
    issuer: IssuerDocuments | None = None
    exchanged: Exchanged | Failure | None = None
    caller: Caller | None = None
