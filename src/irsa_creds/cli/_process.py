"""`process`: what AWS's `credential_process` runs, for the AWS CLI and the SDKs of any language."""

from __future__ import annotations

import atexit
import gc
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from irsa_creds._engine.waiting import join
from irsa_creds._provider import engine_of
from irsa_creds.cli._identity import (
    ENVIRONMENT,
    IDENTITY,
    add_cache,
    add_identity,
    cache_of,
    expiration,
    fetch,
    provider_of,
)

if TYPE_CHECKING:
    import argparse

    from irsa_creds._credentials import Credentials
    from irsa_creds._provider import Provider
    from irsa_creds.cli._parser import Subparsers
    from irsa_creds.cli._print import Printer

__all__ = ["WITHOUT_OPTIONS", "add", "run"]

_DESCRIPTION = """\
Print credentials as AWS's credential_process wants them: a JSON object with secrets in it. They
come from the cache that the processes of this pod share (files of mode 0600, in
IRSA_CREDS_CACHE_DIR or the directory for temporary files): a call costs no request while they are
fresh."""

#: The arguments of `irsa-creds process` alone, as the parser would give them.
WITHOUT_OPTIONS: Any = SimpleNamespace(
    command="process", json=False, no_cache=False, **dict.fromkeys(IDENTITY)
)

# While credentials are valid, so long does a refresh that is due keep the caller waiting at most.
_REFRESH_SECONDS = 3.0


def add(subparsers: Subparsers) -> None:
    """Add the command."""
    # It imports argparse, without which the command starts sooner.
    from irsa_creds.cli._parser import command  # noqa: PLC0415

    parser = command(
        subparsers,
        "process",
        description=_DESCRIPTION,
        examples=(
            (
                "let the AWS CLI and every SDK use it: in ~/.aws/config",
                "[profile irsa]\n  credential_process = irsa-creds process",
            ),
            ("then", "aws --profile irsa s3 ls"),
            ("without any file", "irsa-creds process --no-cache"),
            (
                "another role of the same token",
                "irsa-creds process --role-arn arn:aws:iam::...:role/reader",
            ),
        ),
        after=ENVIRONMENT,
    )
    add_cache(parser)
    add_identity(parser)


def run(args: argparse.Namespace, out: Printer) -> int:
    """Print the credentials."""
    # The interpreter would look at all that was imported once more: a tenth of the command's time.
    atexit.register(gc.freeze)
    found = _up_to_date(provider_of(args, shared_cache=cache_of(args)))
    # Source: AWS SDKs and Tools Reference Guide, "Process credential provider".
    answer: dict[str, str | int] = {
        "Version": 1,
        "AccessKeyId": found.access_key_id,
        "SecretAccessKey": found.secret_access_key,
        "SessionToken": found.session_token,
        "Expiration": expiration(found),
    }
    if found.account_id is not None:
        answer["AccountId"] = found.account_id
    if args.json:
        out.emit(answer)
    else:
        out.line(json.dumps(answer))
    return 0


def _up_to_date(provider: Provider) -> Credentials:
    """Return credentials; a refresh that is due is waited for: this process ends after that."""
    found = fetch(provider)
    engine = engine_of(provider)
    refresh = engine.refresh
    if refresh is None:
        return found
    join(engine, refresh, engine.now() + _REFRESH_SECONDS, alone=False)
    return provider.get()
