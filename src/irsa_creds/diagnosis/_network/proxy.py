"""Select the proxy for a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from botocore.httpsession import ProxyConfiguration

from irsa_creds._identity.validation import is_proxy_url

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
    scheme = urlsplit(url).scheme.lower()
    proxy = ProxyConfiguration(http.proxies_for(url)).proxy_url_for(url)
    if not proxy:
        return Proxy()
    if is_proxy_url(proxy):
        return Proxy(proxy)
    # The words of `_exchange.http`; any part of the URL may be a password.
    return Proxy(
        error=f"the URL of the proxy ({scheme.upper()}_PROXY) cannot be parsed; percent-encode "
        "the user and password in it"
    )
