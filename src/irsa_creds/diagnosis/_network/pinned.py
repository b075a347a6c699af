"""Send a GET request to an address that was checked, in the name of its host."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.httpsession import get_cert_path
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout

from irsa_creds.diagnosis._network.addresses import host_and_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["get_from"]


@contextlib.contextmanager
def get_from(
    address: str,
    url: str,
    headers: Mapping[str, str],
    *,
    ca_bundle: bool | str,
    timeouts: tuple[float, float],
) -> Iterator[Any]:
    """Send a request and yield urllib3's response, whose body is not read yet.

    A second lookup of the host could have another result, so none is made. The request and the TLS
    handshake name the host, and its certificate is verified.

    Args:
        address: of the URL's host.
        url: a valid URL.
        headers: of the request.
        ca_bundle: its path; else that of botocore is used.
        timeouts: seconds to connect, and for each wait for the response.
    """
    parts = urlsplit(url)
    host, port = host_and_port(url)
    timeout = Timeout(*timeouts)
    if parts.scheme == "https":
        pool: HTTPConnectionPool = HTTPSConnectionPool(
            address,
            port,
            timeout=timeout,
            server_hostname=host,
            cert_reqs="CERT_REQUIRED",
            ca_certs=get_cert_path(ca_bundle or True),
        )
    else:
        pool = HTTPConnectionPool(address, port, timeout=timeout)
    with contextlib.closing(pool):
        response = pool.urlopen(
            "GET",
            parts._replace(scheme="", netloc="", fragment="").geturl() or "/",
            headers={**headers, "Host": parts.netloc},
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )
        with contextlib.closing(response):
            yield response
