"""`process`: print credentials for the setting `credential_process` of the AWS CLI and SDKs."""

from __future__ import annotations

import atexit
import gc
import json
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from irsa_creds._engine.waiting import join
from irsa_creds._registry import engine_of
from irsa_creds.cli._identity import (
    ENVIRONMENT,
    IDENTITY,
    add_identity,
    expiration,
    fetch,
    provider_of,
)

if TYPE_CHECKING:
    import argparse

    from irsa_creds._credentials import Credentials
    from irsa_creds._provider import Provider
    from irsa_creds.cli._parser import Commands
    from irsa_creds.cli._print import Printer

__all__ = ["WITHOUT_OPTIONS", "add", "run"]

_DESCRIPTION = """\
Print credentials in the format of credential_process: a JSON object with secrets. They come from
the shared credential cache (files of mode 0600, in IRSA_CREDS_CACHE_DIR or the directory for
temporary files), so a call needs no request while they are fresh."""

#: The arguments of `irsa-creds process` alone, as the parser would give them.
WITHOUT_OPTIONS: Any = SimpleNamespace(
    command="process", json=False, no_cache=False, **dict.fromkeys(IDENTITY)
)

# While credentials are valid, the command waits this long for a refresh that is due.
_REFRESH_SECONDS = 3.0


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "process",
        description=_DESCRIPTION,
        examples=(
            (
                "in ~/.aws/config, for the AWS CLI and all SDKs",
                "[profile irsa]\n  credential_process = irsa-creds process",
            ),
            ("then", "aws --profile irsa s3 ls"),
            ("without the cache", "irsa-creds process --no-cache"),
            (
                "for another role",
                "irsa-creds process --role-arn arn:aws:iam::...:role/reader",
            ),
        ),
        after=ENVIRONMENT,
    )
    parser.add_argument(
        "--no-cache", action="store_true", help="do not use the shared credential cache"
    )
    add_identity(parser)


def run(args: argparse.Namespace, out: Printer) -> int:
    """Print the credentials."""
    # Saves the last garbage collection, a tenth of the command's time.
    atexit.register(gc.freeze)
    found = _refreshed(provider_of(args, shared_cache=_shared_cache_of(args)))
    # Source: AWS SDKs and Tools Reference Guide, "Process credential provider".
    content: dict[str, str | int] = {
        "Version": 1,
        "AccessKeyId": found.access_key_id,
        "SecretAccessKey": found.secret_access_key,
        "SessionToken": found.session_token,
        "Expiration": expiration(found),
    }
    if found.account_id is not None:
        content["AccountId"] = found.account_id
    if args.json:
        out.emit(content)
    else:
        out.line(json.dumps(content))
    return 0


def _shared_cache_of(args: argparse.Namespace) -> bool | None:
    """Return `shared_cache` from `--no-cache` and the environment; on by default."""
    if args.no_cache:
        return False
    return None if os.environ.get("IRSA_CREDS_CACHE_DIR") else True


def _refreshed(provider: Provider) -> Credentials:
    """Return credentials; wait for a refresh that is due, because this process then ends."""
    found = fetch(provider)
    engine = engine_of(provider)
    refresh = engine.refresh
    if refresh is None:
        return found
    join(engine, refresh, engine.now() + _REFRESH_SECONDS, must_not_wait=False)
    return provider.get()
