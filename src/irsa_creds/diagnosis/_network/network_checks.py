"""N01 to N06: whether STS is reached, and whether the token's issuer publishes its key."""

from __future__ import annotations

import ipaddress
import shlex
from typing import TYPE_CHECKING

from irsa_creds._identity.claims import plain_issuer
from irsa_creds._masking import quoted
from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._claims import redacted
from irsa_creds.diagnosis._network.addresses import host_and_port
from irsa_creds.diagnosis._network.network_facts import Lookup, Probe
from irsa_creds.diagnosis._network.sts_checks import exchange_check, identity_check

if TYPE_CHECKING:
    from irsa_creds.diagnosis._network.addresses import Address
    from irsa_creds.diagnosis._network.network_facts import IssuerDocuments, OnlineFacts

__all__ = ["online_checks"]

_DISCOVERY = "/.well-known/openid-configuration"  # OpenID Connect Discovery 1.0, section 4
_UNREACHED = {"reached": False}
# Seconds. AWS accepts a signature that is five minutes off (IAM User Guide, "Troubleshoot Signature
# Version 4").
_FATAL_SKEW, _NOTABLE_SKEW = 300, 30
# Source: AWS STS, "Using interface VPC endpoints": each is for the endpoint of a region.
_GLOBAL = "sts.amazonaws.com"
# Class names of errors of botocore and urllib3.
_TLS, _PROXY = "SSLError", "ProxyConnectionError"


def online_checks(facts: OnlineFacts) -> tuple[Check, ...]:
    """Return N01 to N06, S01 and S02.

    If STS was not reached, one check has `data["reached"]` False, which decides the exit status.

    Args:
        facts: the result of `gather_online`.
    """
    if facts.settings_error:
        error = facts.settings_error.rstrip(".")
        first = Check(
            "N01",
            "fail",
            f"The STS endpoint is not known: {error}.",
            "irsa-creds doctor  # E04 and C01 check the settings",
            _UNREACHED,
        )
        ids = [f"N{number:02}" for number in range(2, 7)] + ["S01", "S02"]
        return (first, *(Check(each, "skipped", "No endpoint: see N01.") for each in ids))
    return (
        _dns(facts),
        _connection(facts),
        _tls(facts),
        _proxy(facts),
        _clock(facts),
        _issuer(facts),
        exchange_check(facts),
        identity_check(facts),
    )


def _dns(facts: OnlineFacts) -> Check:
    if facts.proxy_error:
        return Check("N01", "skipped", "The proxy cannot be used: see N04.")
    # The first step always runs.
    found = facts.lookup or Lookup("")
    proxy = "the proxy " if facts.proxy else ""
    if found.error:
        return Check(
            "N01",
            "fail",
            f"Host not found: {proxy}{found.host} ({found.error}).",
            f"getent hosts {shlex.quote(found.host)}\n"
            "kubectl -n kube-system get pods -l k8s-app=kube-dns",
            {"host": found.host, **_UNREACHED},
        )
    kind = _kind_of(found.addresses, aws=facts.is_aws and not facts.proxy)
    return Check(
        "N01",
        "ok",
        f"{proxy.capitalize()}{found.host} has the address {found.addresses[0]}"
        f"{_and_more(found.addresses)}: {kind}.",
        data={"host": found.host, "addresses": list(found.addresses)},
    )


def _kind_of(addresses: tuple[str, ...], *, aws: bool) -> str:
    if _is_loopback(addresses):
        return "this machine"
    found = _parsed(addresses)
    public = [each for each in found if each.is_global]
    if not public:
        return "private, so an interface VPC endpoint" if aws else "private"
    if len(public) < len(found):
        return "public and private addresses, so connections take either way at random"
    return (
        "public, so the pod needs a route to the internet, such as a NAT gateway"
        if aws
        else "public"
    )


def _is_loopback(addresses: tuple[str, ...]) -> bool:
    return bool(addresses) and all(each.is_loopback for each in _parsed(addresses))


def _parsed(addresses: tuple[str, ...]) -> list[Address]:
    # `%eth0`, the scope of a link-local address, is not part of it.
    return [ipaddress.ip_address(each.partition("%")[0]) for each in addresses]


def _and_more(addresses: tuple[str, ...]) -> str:
    return f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""


def _connection(facts: OnlineFacts) -> Check:
    if facts.connection is None:
        return Check("N02", "skipped", "There is no address: see N01.")
    # After a connection the probe always runs.
    probe = facts.probe or Probe()
    target = f"the proxy {facts.proxy}" if facts.proxy else facts.url
    if facts.connection.error:
        return Check(
            "N02",
            "fail",
            f"No connection to {target}: {facts.connection.error}.{_way(facts)}",
            _fix_unreached(facts),
            _UNREACHED,
        )
    address = facts.connection.address
    if probe.status is None and probe.code not in {_TLS, _PROXY}:
        return Check(
            "N02",
            "fail",
            f"{address} accepts a connection for {target} but sends no response: {probe.reason}."
            f"{_way(facts)}",
            f"{_fix_unreached(facts)}\n# a firewall in between may drop the request",
            _UNREACHED,
        )
    # If a proxy or TLS fails, N03 or N04 says that STS was not reached.
    data = {"address": address} | ({} if probe.status is None else {"reached": True})
    return Check("N02", "ok", f"{address} accepts a connection for {target}.", data=data)


def _is_global(facts: OnlineFacts) -> bool:
    """Return whether the endpoint is the global one, which is called without a proxy."""
    return host_and_port(facts.url)[0] == _GLOBAL and not facts.proxy


def _way(facts: OnlineFacts) -> str:
    """Return which way a connection takes to AWS, as a sentence."""
    if _is_global(facts):
        return (
            " It is the global endpoint, which has no VPC endpoint: AWS_STS_REGIONAL_ENDPOINTS is "
            "legacy, or no region is set."
        )
    if facts.proxy or not facts.is_aws or facts.lookup is None:
        return ""
    return f" Kind of address: {_kind_of(facts.lookup.addresses, aws=True)}."


def _fix_unreached(facts: OnlineFacts) -> str:
    """Return what to change so that the pod reaches STS or the proxy."""
    host, port = host_and_port(facts.proxy or facts.url)
    regional = (
        "# in the container's env, for a VPC without internet access\n"
        "export AWS_STS_REGIONAL_ENDPOINTS=regional AWS_REGION=REGION\n"
    )
    return (
        f"{regional if _is_global(facts) else ''}"
        "# security group, network policy and routes must let the pod reach "
        f"{host} (port {port})"
    )


def _tls(facts: OnlineFacts) -> Check:
    bundle = f"the CA bundle {facts.ca_bundle}" if facts.ca_bundle else "botocore's CA bundle"
    if not facts.url.lower().startswith("https:"):
        inside = facts.lookup is not None and _is_loopback(facts.lookup.addresses)
        if inside or facts.is_aws:
            return Check("N03", "skipped", f"{facts.url} is not an https URL.")
        return Check(
            "N03",
            "warn",
            f"{facts.url} is not an https URL: the token is sent in clear text.",
            "export AWS_ENDPOINT_URL_STS=https://...",
        )
    if facts.probe is None:
        return Check("N03", "skipped", "There is no connection: see N01 and N02.")
    if facts.probe.code == _TLS:
        return Check(
            "N03",
            "fail",
            f"TLS with {facts.url} failed with {bundle}: {facts.probe.reason}.",
            "export AWS_CA_BUNDLE=/path/of/ca-bundle.pem  "
            "# with the CA that signed the certificate",
            _UNREACHED,
        )
    if facts.probe.status is None:
        return Check("N03", "skipped", "There was no response: see N02 and N04.")
    return Check("N03", "ok", f"The certificate of {facts.url} is valid with {bundle}.")


def _proxy(facts: OnlineFacts) -> Check:
    scheme, _, host, *_ = facts.url.split("/")
    variable = f"{scheme.rstrip(':').upper()}_PROXY"
    # The current value of NO_PROXY is kept.
    fix = f'export NO_PROXY="${{NO_PROXY:+$NO_PROXY,}}{host}"  # or correct {variable}'
    if facts.proxy_error:
        return Check("N04", "fail", f"T{facts.proxy_error[1:]}.", fix, _UNREACHED)
    if facts.proxy is None:
        why = "NO_PROXY exempts it" if facts.bypassed else "none is configured"
        return Check("N04", "ok", f"{facts.url} is called without a proxy: {why}.")
    if facts.probe is None:
        message = f"The proxy {facts.proxy} was not reached: see N01, N02."
        return Check("N04", "fail", message, fix, _UNREACHED)
    if facts.probe.code == _PROXY:
        return Check(
            "N04",
            "fail",
            f"The proxy {facts.proxy} does not connect to {facts.url}: {facts.probe.reason}.",
            fix,
            _UNREACHED,
        )
    if facts.probe.status is None and facts.probe.code != _TLS:
        return Check(
            "N04", "unknown", f"No response came through the proxy {facts.proxy}: see N02."
        )
    return Check("N04", "ok", f"{facts.url} is called through the proxy {facts.proxy}.")


def _clock(facts: OnlineFacts) -> Check:
    if facts.probe is None or facts.probe.status is None:
        return Check("N05", "skipped", "STS was not reached.")
    skew = facts.probe.skew
    if skew is None:
        return Check("N05", "unknown", "The response of STS has no date.")
    data = {"skew_seconds": round(skew, 1)}
    if abs(skew) < _NOTABLE_SKEW:
        return Check("N05", "ok", "This machine's clock agrees with that of STS.", data=data)
    where = "behind" if skew > 0 else "ahead of"
    return Check(
        "N05",
        "fail" if abs(skew) >= _FATAL_SKEW else "warn",
        f"This machine's clock is {abs(skew):,.0f} s {where} that of STS; AWS denies signatures "
        "from five minutes on.",
        "chronyc tracking  # on the node, which has the pod's clock",
        data,
    )


def _issuer(facts: OnlineFacts) -> Check:
    issuer = facts.issuer
    if issuer is None:
        return Check("N06", "skipped", f"There is no token: {facts.no_token}.")
    data = {"issuer": redacted(issuer.url), "kid": issuer.kid}
    clean = plain_issuer(issuer.url)
    if issuer.error:
        return Check(
            "N06",
            "unknown",
            f"The issuer {quoted(issuer.url)} is not reachable from here ({issuer.error}), but "
            "only AWS must reach it.",
            f"curl -sS {shlex.quote(clean.rstrip('/') + _DISCOVERY)}"
            if clean
            else "# the token's issuer (iss) is not a plain URL: check where the token comes from",
            data,
        )
    if issuer.named != issuer.url:
        return Check(
            "N06",
            "fail",
            f"The token's issuer is {quoted(issuer.url)}, but its discovery document names "
            f"{quoted(issuer.named)}: they must be equal, slashes included.",
            "# option of kube-apiserver, with the URL of the IAM OIDC provider\n"
            "--service-account-issuer=...",
            data,
        )
    if issuer.kid not in issuer.kids:
        return Check(
            "N06",
            "fail",
            f"The key {issuer.kid or '(without an id)'} that signed the token is not among the "
            f"{len(issuer.kids)} keys of {quoted(issuer.url)}: the token is from another cluster, "
            "or the published keys are old.",
            "# publish the output at the issuer's URL\nkubectl get --raw /openid/v1/jwks",
            data,
        )
    return Check(
        "N06",
        "ok",
        f"The issuer {quoted(issuer.url)} publishes the token's key.{_other_region(facts, issuer)}",
        data=data,
    )


def _other_region(facts: OnlineFacts, issuer: IssuerDocuments) -> str:
    if not issuer.region or not facts.region or issuer.region == facts.region:
        return ""
    return (
        f" The cluster is in {issuer.region} and STS is called in {facts.region}, which is allowed."
    )
