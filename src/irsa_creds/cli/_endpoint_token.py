"""Where the endpoint's token waits for those who may use it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.cli._endpoint import Endpoint

__all__ = ["token_file", "variables"]

_TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"  # noqa: S105 - a variable's name
_TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"  # noqa: S105 - a variable's name
_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
# `mkdtemp` makes a directory of our own in it.
_PLACES = ("/tmp", "/var/tmp")  # noqa: S108


@contextlib.contextmanager
def token_file(token: str) -> Iterator[Path | None]:
    """Keep the token in a file of mode 0600 in a directory of mode 0700, until the end.

    Yields:
        None where there is no place to write to, as with `readOnlyRootFilesystem`.
    """
    made: list[Path] = []
    try:
        yield _written(token, made)
    finally:
        for directory in made:
            shutil.rmtree(directory, ignore_errors=True)


def variables(endpoint: Endpoint, path: Path | None) -> dict[str, str]:
    """Return the variables that lead SDKs to the endpoint.

    Args:
        endpoint: where they are to ask.
        path: the token's file; None: the token itself is to be in a variable.
    """
    secret = {_TOKEN: endpoint.token} if path is None else {_TOKEN_FILE: str(path)}
    return {_URI: endpoint.url, **secret}


def _written(token: str, made: list[Path]) -> Path | None:
    """Write the token where there is room, and tell which directories were made for that."""
    # Not `gettempdir`, which takes the working directory as the last resort.
    for place in (os.environ.get("TMPDIR"), *_PLACES):
        if place:
            with contextlib.suppress(OSError):
                made.append(Path(tempfile.mkdtemp(prefix="irsa-creds-", dir=place)).absolute())
                path = made[-1] / "token"
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as opened:
                    # No newline: botocore takes one for an attack on the header.
                    opened.write(token)
                return path
    return None
