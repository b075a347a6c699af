"""The file with the endpoint's token, and the variables that name it."""

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
# `mkdtemp` creates a private directory in it.
_DIRECTORIES = ("/tmp", "/var/tmp")  # noqa: S108


@contextlib.contextmanager
def token_file(token: str) -> Iterator[Path | None]:
    """Keep the token in a file of mode 0600 in a directory of mode 0700, until the end.

    Yields:
        Its path; None if no directory is writable, as with `readOnlyRootFilesystem`.
    """
    made: list[Path] = []
    try:
        yield _written(token, made)
    finally:
        for directory in made:
            shutil.rmtree(directory, ignore_errors=True)


def variables(endpoint: Endpoint, path: Path | None) -> dict[str, str]:
    """Return the variables that make SDKs use the endpoint.

    Args:
        endpoint: with URL and token.
        path: the token file; None puts the token itself into a variable.
    """
    secret = {_TOKEN: endpoint.token} if path is None else {_TOKEN_FILE: str(path)}
    return {_URI: endpoint.url, **secret}


def _written(token: str, made: list[Path]) -> Path | None:
    """Write the token to the first writable directory; add created directories to `made`."""
    # `gettempdir` would fall back to the working directory.
    for parent in (os.environ.get("TMPDIR"), *_DIRECTORIES):
        if parent:
            with contextlib.suppress(OSError):
                made.append(Path(tempfile.mkdtemp(prefix="irsa-creds-", dir=parent)).absolute())
                path = made[-1] / "token"
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as opened:
                    # botocore rejects a newline as header injection.
                    opened.write(token)
                return path
    return None
