"""N01 to N06: whether STS is reached, and what its issuer says of itself."""

from __future__ import annotations

import ipaddress
import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from irsa_creds._exchange.advice import clean_issuer
from irsa_creds._identity.validation import quoted
from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._claims import redacted
from irsa_creds.diagnosis._network.network_facts import Lookup, Probe
from irsa_creds.diagnosis._network.sts_checks import exchange_check, identity_check

if TYPE_CHECKING:
    from irsa_creds.diagnosis._network.network_facts import Issuer, OnlineFacts

__all__ = ["online_checks"]

_DISCOVERY = "/.well-known/openid-configuration"  # OpenID Connect Discovery 1.0, section 4
_UNREACHED = {"reached": False}
# Seconds. AWS takes a signature that is five minutes off (IAM User Guide, "Troubleshoot Signature
# Version 4"), and STS a token that is not older than that.
_FATAL_SKEW, _NOTABLE_SKEW = 300, 30
_PORTS = {"http": 80, "https": 443}
# Class names of botocore's and urllib3's errors, as `_http` names them.
_TLS, _PROXY = "SSLError", "ProxyConnectionError"


def online_checks(facts: OnlineFacts) -> tuple[Check, ...]:
    """Return N01 to N06, S01 and S02.

    Where STS was not reached, one of them says so by `data["reached"]` being False: the exit
    status depends on it.

    Args:
        facts: what `gather_online` found.
    """
    if facts.trouble:
        trouble = facts.trouble.rstrip(".")
        first = Check(
            "N01",
            "fail",
            f"Where STS is, is not known: {trouble}.",
            "irsa-creds doctor  # E04 and C01 tell of the settings",
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
    if facts.proxy_trouble:
        return Check("N01", "skipped", "The proxy cannot be used: see N04.")
    # The first step is always tried.
    found = facts.lookup or Lookup("")
    whose = "the proxy " if facts.proxy else ""
    if found.error:
        return Check(
            "N01",
            "fail",
            f"The name of {whose}{found.host} is not known here: {found.error}.",
            f"getent hosts {shlex.quote(found.host)}\n"
            "kubectl -n kube-system get pods -l k8s-app=kube-dns",
            {"host": found.host, **_UNREACHED},
        )
    kind = _kind_of(found.addresses, aws=facts.is_aws and not facts.proxy)
    return Check(
        "N01",
        "ok",
        f"{whose.capitalize()}{found.host} has the address {found.addresses[0]}"
        f"{_and_more(found.addresses)}: {kind}.",
        data={"host": found.host, "addresses": list(found.addresses)},
    )


def _kind_of(addresses: tuple[str, ...], *, aws: bool) -> str:
    # A link's scope (`%eth0`) is none of the address.
    found = [ipaddress.ip_address(each.partition("%")[0]) for each in addresses]
    if all(each.is_loopback for each in found):
        return "this very machine"
    public = [each for each in found if each.is_global]
    if not public:
        return "an interface VPC endpoint, for it is private" if aws else "a private one"
    if len(public) < len(found):
        return "some public and some private, so it is chance which way a connection takes"
    return "public, so the pod needs a way out (a NAT gateway, say)" if aws else "a public one"


def _and_more(addresses: tuple[str, ...]) -> str:
    return f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""


def _connection(facts: OnlineFacts) -> Check:
    if facts.connection is None:
        return Check("N02", "skipped", "No address to connect to: see N01.")
    # What is connected to is asked as well.
    probe = facts.probe or Probe()
    whose = f"the proxy {facts.proxy}" if facts.proxy else facts.url
    if facts.connection.error:
        return Check(
            "N02",
            "fail",
            f"No connection to {whose}: {facts.connection.error}.",
            _route(facts.proxy or facts.url),
            _UNREACHED,
        )
    address = facts.connection.address
    if probe.status is None and probe.code not in {_TLS, _PROXY}:
        return Check(
            "N02",
            "fail",
            f"{address} takes a connection for {whose}, but no answer comes: {probe.reason}.",
            _route(facts.proxy or facts.url) + "\n# a firewall in between may swallow what is sent",
            _UNREACHED,
        )
    # Behind a proxy or TLS that fails, it is theirs to say that STS was not reached.
    data = {"address": address} | ({} if probe.status is None else {"reached": True})
    return Check("N02", "ok", f"{address} takes a connection for {whose}.", data=data)


def _route(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme.lower(), _PORTS["https"])
    return (
        "# let the pod's security group, network policy and routes reach "
        f"{parts.hostname} (port {port})"
    )


def _tls(facts: OnlineFacts) -> Check:
    bundle = f"the authorities in {facts.ca_bundle}" if facts.ca_bundle else "a known authority"
    if not facts.url.lower().startswith("https:"):
        inside = facts.lookup is not None and _is_loopback(facts.lookup.addresses)
        if inside or facts.is_aws:
            return Check("N03", "skipped", f"{facts.url} is no https URL.")
        return Check(
            "N03",
            "warn",
            f"{facts.url} is no https URL: the token can be read on its way.",
            "export AWS_ENDPOINT_URL_STS=https://...",
        )
    if facts.probe is None:
        return Check("N03", "skipped", "Nothing is connected: see N01 and N02.")
    if facts.probe.code == _TLS:
        return Check(
            "N03",
            "fail",
            f"TLS with {facts.url} fails by {bundle}: {facts.probe.reason}.",
            "export AWS_CA_BUNDLE=/path/of/the/authorities.pem  # that signed who answers there",
            _UNREACHED,
        )
    if facts.probe.status is None:
        return Check("N03", "skipped", "No answer came: see N02 and N04.")
    return Check("N03", "ok", f"The certificate of {facts.url} is signed by {bundle}.")


def _is_loopback(addresses: tuple[str, ...]) -> bool:
    return bool(addresses) and _kind_of(addresses, aws=False) == "this very machine"


def _proxy(facts: OnlineFacts) -> Check:
    scheme, _, host, *_ = facts.url.split("/")
    variable = f"{scheme.rstrip(':').upper()}_PROXY"
    # What NO_PROXY names already stays in it.
    fix = f'export NO_PROXY="${{NO_PROXY:+$NO_PROXY,}}{host}"  # or correct {variable}'
    if facts.proxy_trouble:
        return Check("N04", "fail", f"T{facts.proxy_trouble[1:]}.", fix, _UNREACHED)
    if facts.proxy is None:
        what = "NO_PROXY names it" if facts.bypassed else "none is set for it"
        return Check("N04", "ok", f"{facts.url} is reached without a proxy: {what}.")
    if facts.probe is None:
        message = f"The proxy {facts.proxy} is not reached: see N01, N02."
        return Check("N04", "fail", message, fix, _UNREACHED)
    if facts.probe.code == _PROXY:
        return Check(
            "N04",
            "fail",
            f"The proxy {facts.proxy} does not lead to {facts.url}: {facts.probe.reason}.",
            fix,
            _UNREACHED,
        )
    if facts.probe.status is None and facts.probe.code != _TLS:
        return Check("N04", "unknown", f"No answer came through the proxy {facts.proxy}: see N02.")
    return Check("N04", "ok", f"{facts.url} is reached by the proxy {facts.proxy}.")


def _clock(facts: OnlineFacts) -> Check:
    if facts.probe is None or facts.probe.status is None:
        return Check("N05", "skipped", "STS was not reached.")
    skew = facts.probe.skew
    if skew is None:
        return Check("N05", "unknown", "The answer of STS has no date.")
    data = {"skew_seconds": round(skew, 1)}
    if abs(skew) < _NOTABLE_SKEW:
        return Check("N05", "ok", "This machine's clock agrees with that of STS.", data=data)
    where = "behind" if skew > 0 else "ahead of"
    return Check(
        "N05",
        "fail" if abs(skew) >= _FATAL_SKEW else "warn",
        f"This machine's clock is {abs(skew):,.0f} s {where} that of STS; from five minutes on, "
        "AWS takes no signature.",
        "chronyc tracking  # on the node: its clock is the pod's",
        data,
    )


def _issuer(facts: OnlineFacts) -> Check:
    issuer = facts.issuer
    if issuer is None:
        return Check("N06", "skipped", f"There is no token: {facts.no_token}.")
    data = {"issuer": redacted(issuer.url), "kid": issuer.kid}
    clean = clean_issuer(issuer.url)
    if issuer.error:
        return Check(
            "N06",
            "unknown",
            f"The issuer {quoted(issuer.url)} cannot be asked from here ({issuer.error}); it is "
            "AWS that must reach it.",
            f"curl -sS {shlex.quote(clean.rstrip('/') + _DISCOVERY)}"
            if clean
            else "# the token's issuer (iss) is no plain URL: whose token is it?",
            data,
        )
    if issuer.named != issuer.url:
        return Check(
            "N06",
            "fail",
            f"The token is of {quoted(issuer.url)}, and the discovery document there names "
            f"{quoted(issuer.named)}: they must be the same, to the last slash.",
            "# kube-apiserver, as the IAM OIDC provider has it\n--service-account-issuer=...",
            data,
        )
    if issuer.kid not in issuer.kids:
        return Check(
            "N06",
            "fail",
            f"The key {issuer.kid or '(without an id)'} that signed the token is not among the "
            f"{len(issuer.kids)} of {quoted(issuer.url)}: the token is of another cluster, or the "
            "keys published there are old.",
            "# publish at the issuer's URL what this prints\nkubectl get --raw /openid/v1/jwks",
            data,
        )
    return Check(
        "N06",
        "ok",
        f"The issuer {quoted(issuer.url)} publishes the token's key."
        f"{_of_other_region(facts, issuer)}",
        data=data,
    )


def _of_other_region(facts: OnlineFacts, issuer: Issuer) -> str:
    if not issuer.region or not facts.region or issuer.region == facts.region:
        return ""
    return f" The cluster is in {issuer.region} and STS is asked in {facts.region}, which is legal."
