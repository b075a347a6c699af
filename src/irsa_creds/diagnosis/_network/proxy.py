"""Select the proxy for a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from botocore.httpsession import ProxyConfiguration

from irsa_creds._exchange.http import proxy_defect

if TYPE_CHECKING:
    from irsa_creds._identity.endpoint_settings import HttpSettings

__all__ = ["Proxy", "proxy_for"]


class Proxy(NamedTuple):
    """A proxy, or why it cannot be used.

    Attributes:
        url: with user and password; None if none is configured or it cannot be used.
        error: why it cannot be used, without quoting the URL.
    """

    url: str | None = None
    error: str = ""


def proxy_for(http: HttpSettings, url: str) -> Proxy:
    """Return the proxy for a URL, as botocore selects it (1.44.8, httpsession).

    Args:
        http: the configured proxies.
        url: a valid URL.
    """
    proxy = ProxyConfiguration(http.proxies_for(url)).proxy_url_for(url)
    if not proxy:
        return Proxy()
    defect = proxy_defect(proxy, url)
    return Proxy(error=defect) if defect else Proxy(proxy)
