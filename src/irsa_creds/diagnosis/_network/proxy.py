"""Which proxy a URL is reached by."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from irsa_creds._identity.validation import is_proxy_url

if TYPE_CHECKING:
    from irsa_creds._identity.endpoint_settings import HttpSettings

__all__ = ["Proxy", "proxy_for"]


class Proxy(NamedTuple):
    """A proxy, or why there is none.

    Attributes:
        url: with user and password; None where none is set, or none that can be used.
        trouble: why it cannot be used, without quoting anything of it.
    """

    url: str | None = None
    trouble: str = ""


def proxy_for(http: HttpSettings, url: str) -> Proxy:
    """Return the proxy that a URL is reached by, as botocore picks it (1.44.8, httpsession).

    Args:
        http: the proxies that are set.
        url: a sound one.
    """
    from botocore.httpsession import ProxyConfiguration  # noqa: PLC0415

    scheme = urlsplit(url).scheme.lower()
    proxy = ProxyConfiguration(http.proxies_for(url)).proxy_url_for(url)
    if not proxy:
        return Proxy()
    if is_proxy_url(proxy):
        return Proxy(proxy)
    # In the words of `_http`: all of the URL may be a password.
    return Proxy(
        trouble=f"the URL of the proxy ({scheme.upper()}_PROXY) cannot be parsed; percent-encode "
        "the user and password in it"
    )
