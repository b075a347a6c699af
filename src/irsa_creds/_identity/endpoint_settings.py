"""Settings of the connection to STS: endpoint, region, certificates, proxies."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from irsa_creds._errors import ConfigError
from irsa_creds._identity import validation
from irsa_creds._identity.settings import Setting, find_argument
from irsa_creds._masking import quoted
from irsa_creds._record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from irsa_creds._identity.settings import Settings

__all__ = ["EndpointSettings", "HttpSettings", "region_of_issuer", "resolve_endpoint_settings"]

GLOBAL_REGION = "aws-global"
# The regions that "legacy" sends to the global endpoint (botocore 1.40.61 to 1.44.8, args.py).
_LEGACY_REGIONS = frozenset({
    "ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "aws-global",
    "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3",
    "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
})  # fmt: skip
# The issuers of EKS clusters, plain and dual stack (Amazon EKS user guide).
_SUFFIX = "|".join(map(re.escape, validation.AWS_SUFFIXES))
_EKS_ISSUER = rf"https://oidc[.-]eks\.([a-z0-9-]+)\.(?:{_SUFFIX})(?:/.*)?"


class EndpointSettings(Record):
    """The endpoint of STS; the fields are the same as in `Config`."""

    __slots__ = ()

    endpoint_url: str | None
    region: str | None
    region_identity: str | None
    use_fips: bool
    use_dualstack: bool
    legacy_global: bool


def resolve_endpoint_settings(
    settings: Settings,
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    session_region: str | None = None,
    issuer: Callable[[], str | None] | None = None,
    client_region: str | None = None,
) -> EndpointSettings:
    """Return the endpoint of STS, from the settings that botocore reads.

    An endpoint URL turns FIPS, dual stack and "legacy" off, as in botocore 1.44.8, args.py.

    Raises:
        ConfigError: a region, a URL or `sts_regional_endpoints` is malformed.
    """
    legacy = validation.legacy(
        settings.option("sts_regional_endpoints"),
        "AWS_STS_REGIONAL_ENDPOINTS (or the profile's sts_regional_endpoints)",
    )
    endpoint = find_argument("endpoint_url", endpoint_url) or find_endpoint(settings)
    url = None if endpoint is None else validation.endpoint_url(*endpoint)
    candidates = _regions(settings, region, session_region, issuer, client_region)
    found = next((candidate for candidate in candidates if candidate.value), None)
    name = None if found is None else validation.region(*found)
    # botocore.client.ClientCreator (1.44.8): a pseudo region like fips-us-east-1 means FIPS.
    plain = name and name.replace("fips-", "").replace("-fips", "")
    explicit = plain if region else None
    if url:
        return EndpointSettings(url, plain, explicit, False, False, False)
    fips = plain != name or validation.boolean(settings.option("use_fips_endpoint"))
    dualstack = validation.boolean(settings.option("use_dualstack_endpoint"))
    legacy = legacy and not fips and not dualstack and (plain or GLOBAL_REGION) in _LEGACY_REGIONS
    if legacy or plain in {None, GLOBAL_REGION}:
        explicit = GLOBAL_REGION
    return EndpointSettings(None, plain, explicit, fips, dualstack, legacy)


def region_of_issuer(iss: str) -> str | None:
    """Return the region of an EKS issuer's URL; None for any other issuer."""
    match = re.fullmatch(_EKS_ISSUER, iss)
    return match[1] if match else None


def _regions(
    settings: Settings,
    argument: str | None,
    session_region: str | None,
    issuer: Callable[[], str | None] | None,
    client_region: str | None,
) -> Iterator[Setting]:
    """Yield the regions in their order; read the token only if all before it are unset."""
    yield Setting(argument, "The argument region")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        yield Setting(settings.variable(name), name)
    yield Setting(settings.profile("region"), "region of the profile")
    yield Setting(session_region, "The session's region")
    if issuer is not None:
        yield Setting(region_of_issuer(issuer() or ""), "The region of the token's issuer")
    yield Setting(client_region, "The client's region")


def find_endpoint(settings: Settings) -> Setting | None:
    """Return the endpoint URL that environment or profile name; None if they name none.

    The order is that of botocore 1.44.8, configprovider.ConfiguredEndpointProvider.
    """
    if validation.boolean(settings.option("ignore_configured_endpoint_urls")):
        return None
    return next((found for found in _endpoints(settings) if found.value), None)


def _endpoints(settings: Settings) -> Iterator[Setting]:
    for name in ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"):
        yield Setting(settings.variable(name), name)
    section = settings.profile("services")
    if section is not None:
        yield Setting(
            _services_endpoint(settings, section), f"endpoint_url of [services {section}]"
        )
    yield Setting(settings.profile("endpoint_url"), "endpoint_url of the profile")


def _services_endpoint(settings: Settings, section: str) -> Any:
    services = settings.services(section)
    if not services:
        raise ConfigError(
            f"The profile has services = {quoted(section)}, but the configuration "
            f"file has no section [services {section}], or an empty one; add it, or remove the key."
        )
    sts = services.get("sts", {})
    if not isinstance(sts, Mapping):
        raise ConfigError(
            f"sts in [services {section}] is {quoted(sts)}, but it must have indented "
            "keys below it, like endpoint_url = https://sts.example.com."
        )
    return sts.get("endpoint_url")


class HttpSettings(Record):
    """Certificates and proxies.

    Attributes:
        verify: True, or the path of a CA bundle; False accepts any certificate.
        proxies: scheme and URL of each proxy that code names; None: use the environment's.
        client_cert: path of a client certificate, or of it and its key.
        proxies_config: botocore's `proxies_config`, as pairs.
        environment_proxies: the environment's proxies at the time; they are part of the identity.
    """

    __slots__ = ()

    verify: bool | str = True
    proxies: tuple[tuple[str, str], ...] | None = None
    client_cert: str | tuple[str, str] | None = None
    proxies_config: tuple[tuple[str, Any], ...] | None = None
    environment_proxies: tuple[tuple[str, str], ...] = ()

    @classmethod
    def resolve(
        cls,
        settings: Settings,
        *,
        proxies: Mapping[str, str] | None = None,
        client_cert: str | tuple[str, str] | None = None,
        proxies_config: Mapping[str, Any] | None = None,
    ) -> HttpSettings:
        """Return the settings that botocore would use (1.44.8: args.py, endpoint.EndpointCreator).

        Args:
            settings: names the CA bundle.
            proxies: from a botocore client configuration; NO_PROXY does not apply to them.
            client_cert: from the same.
            proxies_config: from the same.

        Raises:
            ConfigError: the CA bundle is named, but empty.
        """
        bundle = Setting(settings.option("ca_bundle"), "AWS_CA_BUNDLE (or the profile's ca_bundle)")
        if bundle.value is None:
            bundle = Setting(settings.variable("REQUESTS_CA_BUNDLE"), "REQUESTS_CA_BUNDLE")
        return cls(
            verify=True if bundle.value is None else validation.ca_bundle(*bundle),
            proxies=None if proxies is None else _pairs(proxies),
            client_cert=client_cert,
            proxies_config=None if proxies_config is None else _pairs(proxies_config),
            environment_proxies=_environment_proxies() if proxies is None else (),
        )

    def proxies_for(self, url: str) -> dict[str, str]:
        """Return the proxies for `url`, as an argument of botocore's HTTP session."""
        if self.proxies is not None:
            return dict(self.proxies)
        if not self.environment_proxies:
            return {}
        from urllib.request import proxy_bypass  # noqa: PLC0415 - 10 ms, which botocore needs as well

        return {} if proxy_bypass(urlsplit(url).netloc) else dict(self.environment_proxies)

    def __repr__(self) -> str:
        # The URL of a proxy may contain a password, with or without a scheme before it.
        pairs = self.environment_proxies if self.proxies is None else self.proxies
        proxies = {scheme: re.sub(r"(?s).*@", "***@", url) for scheme, url in pairs}
        return f"HttpSettings(verify={self.verify!r}, proxies={proxies!r})"


def _environment_proxies() -> tuple[tuple[str, str], ...]:
    """Return the environment's proxies, or the operating system's."""
    if sys.platform not in {"darwin", "win32"} and not any(
        name.lower().endswith("_proxy") for name in os.environ
    ):
        return ()
    from urllib.request import getproxies  # noqa: PLC0415 - 10 ms, which botocore needs as well

    return _pairs(getproxies())


def _pairs(mapping: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(mapping.items()))
