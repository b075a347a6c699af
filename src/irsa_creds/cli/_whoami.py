"""`whoami`: which role the pod has, by the exchange itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from irsa_creds._errors import instant
from irsa_creds._exchange.endpoint import endpoint_url
from irsa_creds._identity.token import TokenFile
from irsa_creds.cli._identity import ENVIRONMENT, add_identity, expiration, fetch, provider_of
from irsa_creds.cli._parser import command
from irsa_creds.cli._print import Styled
from irsa_creds.diagnosis._doctor.pod_facts import gather_facts
from irsa_creds.diagnosis._doctor.provider_chain import chain_checks

if TYPE_CHECKING:
    import argparse

    from irsa_creds._credentials import Credentials
    from irsa_creds._identity.config import Config
    from irsa_creds.cli._parser import Subparsers
    from irsa_creds.cli._print import Printer

__all__ = ["add", "run"]

_DESCRIPTION = """\
Trade the token at STS and show who this pod is to AWS: the assumed role in STS's answer, which is
what GetCallerIdentity would say and needs no second request. No secret is shown. Where the exchange
fails, the error says why; where botocore would take other credentials all the same, a remark."""

_CLAIMS = ("iss", "sub", "aud", "exp")


def add(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = command(
        subparsers,
        "whoami",
        description=_DESCRIPTION,
        examples=(
            ("who am I?", "irsa-creds whoami"),
            ("for a script", "irsa-creds whoami --json | jq -r .assumed_role_arn"),
            (
                "may this pod take another role?",
                "irsa-creds whoami --role-arn arn:aws:iam::...:role/reader",
            ),
        ),
        after=ENVIRONMENT,
    )
    add_identity(parser)


def run(args: argparse.Namespace, out: Printer) -> int:
    """Make the exchange, and show whom STS saw."""
    # What another process left in the cache says nothing of the token as it is now.
    found = provider_of(args, shared_cache=False)
    credentials = fetch(found)
    facts = _facts(found._config, credentials)  # noqa: SLF001 - no public name, and none is needed
    if out.json:
        out.emit(facts)
        return 0
    claims, beaten_by = facts.pop("token"), facts.pop("beaten_by")
    facts |= {f"token {name}": value for name, value in claims.items()}
    if "token exp" in facts:
        facts["token exp"] = instant(facts["token exp"])
    width = max(map(len, facts))
    for name, value in facts.items():
        # A claim is anybody's text: it must not begin a line of its own.
        shown = "(not told)" if value is None else str(value).replace("\n", "\\n")
        out.line(Styled(name.replace("_", " ").ljust(width), "dim"), "  ", shown)
    if beaten_by:
        out.note("but a program here is not this role (C01): ", beaten_by)
    return 0


def _facts(config: Config, credentials: Credentials) -> dict[str, Any]:
    token = {} if config.token_file is None else TokenFile(config.token_file).read().claims or {}
    return {
        "role_arn": config.final_role_arn,
        "assumed_role_arn": credentials.assumed_role_arn,
        "account_id": credentials.account_id,
        "access_key_id": credentials.access_key_id,
        "expiration": expiration(credentials),
        "endpoint": endpoint_url(config),
        "region": config.region,
        "token": {name: token[name] for name in _CLAIMS if name in token},
        "beaten_by": _beaten_by(),
    }


def _beaten_by() -> str | None:
    """Return what comes first in botocore's chain, as a sentence; None where nothing does."""
    first, _ = chain_checks(gather_facts(os.environ))
    return first.message if first.status == "fail" else None
