"""A WSGI application: each request reads S3."""

from __future__ import annotations

import logging
import os
import traceback
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from frameworks.apps.reading import provider, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# irsa-creds logs nothing in a program that does not configure logging.
logging.basicConfig(format="%(name)s %(levelname)s %(message)s")

if "FETCH_AT_IMPORT" in os.environ:
    # As a preloaded application that reads its bucket before it has workers.
    provider.get()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    status = HTTPStatus.OK
    try:
        body = read().json()
    except Exception:  # noqa: BLE001 - the test reports it
        status, body = HTTPStatus.INTERNAL_SERVER_ERROR, traceback.format_exc()
    start_response(f"{status.value} {status.phrase}", [("Content-Length", str(len(body)))])
    return [body.encode()]
