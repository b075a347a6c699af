"""What the network said, as values: no secret in any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from irsa_creds._errors import Failure

__all__ = ["Caller", "Connection", "Exchanged", "Issuer", "Lookup", "OnlineFacts", "Probe"]


class Lookup(NamedTuple):
    """N01: the addresses of a host, or why there are none."""

    host: str
    addresses: tuple[str, ...] = ()
    error: str = ""


class Connection(NamedTuple):
    """N02: the address that took a connection, or why none did."""

    address: str = ""
    error: str = ""


class Probe(NamedTuple):
    """N02 to N05: what a request without any secret brought.

    Attributes:
        status: of HTTP; None where no answer came.
        code: the class name of the network error.
        reason: it in words.
        skew: seconds that the clock of STS is ahead of this machine's; None where it told none.
    """

    status: int | None = None
    code: str = ""
    reason: str = ""
    skew: float | None = None


class Issuer(NamedTuple):
    """N06: the token's issuer, as it is seen from here.

    Attributes:
        url: the claim `iss`.
        region: of an EKS cluster, by that URL.
        kid: the id of the key that signed the token.
        error: why the documents could not be had.
        named: the issuer that its discovery document names.
        kids: the ids of its keys.
    """

    url: str
    region: str | None = None
    kid: str | None = None
    error: str = ""
    named: str | None = None
    kids: tuple[str, ...] = ()


class Exchanged(NamedTuple):
    """S01: the role's session, or why there is none.

    Attributes:
        arn: of the session.
        seconds: how long its credentials last.
        code: STS's error code, or the class name of the network error.
        message: what happened, masked.
        advice: what to do.
        command: what to type next; empty where no one command helps.
        unreachable: no answer came at all.
    """

    arn: str | None = None
    seconds: float = 0.0
    code: str = ""
    message: str = ""
    advice: str = ""
    command: str = ""
    unreachable: bool = False

    @classmethod
    def from_failure(cls, failure: Failure) -> Exchanged:
        """Return what a failed exchange says."""
        return cls(
            code=failure.code,
            message=failure.message,
            advice=failure.advice,
            command=failure.command,
            unreachable=failure.unreachable,
        )


class Caller(NamedTuple):
    """S02: who a program with botocore's default chain is.

    Attributes:
        arn: of the identity.
        method: botocore's name of what in the chain won, like "env" or "iam-role"; empty where
            nobody knows, or nothing did.
        error: why it could not be asked; empty, with the two above, where nothing has credentials.
    """

    arn: str | None = None
    method: str = ""
    error: str = ""


class OnlineFacts(NamedTuple):
    """What the network said; None of a step means that it was not tried.

    Attributes:
        trouble: why not even an endpoint is known; empty where one is.
        url: STS's, without user and password.
        is_aws: whether AWS itself answers there.
        region: STS's; None is the global endpoint.
        ca_bundle: the file of authorities that TLS goes by; None: those that botocore brings.
        proxy: the proxy's URL, without user and password; None: none for this URL.
        proxy_trouble: why the proxy that is set for this URL cannot be used.
        bypassed: a proxy is set, and NO_PROXY names the host.
        role_arn: the role of the token; None: no web identity is configured.
        final_role_arn: the same, but for a profile whose `source_profile` leads there.
        no_token: why there is no token to show; empty where there is one.
    """

    trouble: str = ""
    url: str = ""
    is_aws: bool = True
    region: str | None = None
    ca_bundle: str | None = None
    proxy: str | None = None
    proxy_trouble: str = ""
    bypassed: bool = False
    role_arn: str | None = None
    final_role_arn: str | None = None
    no_token: str = ""
    lookup: Lookup | None = None
    connection: Connection | None = None
    probe: Probe | None = None
    issuer: Issuer | None = None
    exchanged: Exchanged | None = None
    caller: Caller | None = None
