"""`whoami`: get credentials and show the role of this pod."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from irsa_creds._errors import ConfigError, instant
from irsa_creds._exchange.endpoint import endpoint_url
from irsa_creds._identity.config import Config, without_role
from irsa_creds._identity.settings import EnvironSettings
from irsa_creds._identity.token import TokenFile
from irsa_creds.cli._identity import ENVIRONMENT, add_identity, expiration, fetch, provider_of
from irsa_creds.cli._print import Styled
from irsa_creds.diagnosis._doctor.pod_facts import gather_facts
from irsa_creds.diagnosis._doctor.provider_chain import chain_checks
from irsa_creds.diagnosis._network.probes import STEP, StepError, get_caller_arn, within

if TYPE_CHECKING:
    import argparse

    from irsa_creds._credentials import Credentials
    from irsa_creds._identity.identity import Identity
    from irsa_creds.cli._parser import Commands
    from irsa_creds.cli._print import Printer

__all__ = ["add", "run"]

_DESCRIPTION = """\
Get credentials with the token, and show the identity of this pod: the assumed role. It is in STS's
response; the response of EKS Pod Identity's agent has none, so STS is asked (GetCallerIdentity). No
secret is printed. If the request is denied, the error has the cause. A note warns if botocore would
use other credentials."""

_CLAIMS = ("iss", "sub", "aud", "exp")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "whoami",
        description=_DESCRIPTION,
        examples=(
            ("show the role of this pod", "irsa-creds whoami"),
            ("for a script", "irsa-creds whoami --json | jq -r .assumed_role_arn"),
            (
                "try another role",
                "irsa-creds whoami --role-arn arn:aws:iam::...:role/reader",
            ),
        ),
        after=ENVIRONMENT,
    )
    add_identity(parser)


def run(args: argparse.Namespace, out: Printer) -> int:
    """Get credentials and print the identity."""
    # Cached credentials would say nothing about the current token.
    found = provider_of(args, shared_cache=False)
    credentials = fetch(found)
    facts = _facts(found._identity, credentials, out)  # noqa: SLF001 - no public name, and none is needed
    if out.json:
        out.emit(facts)
        return 0
    claims, beaten_by = facts.pop("token"), facts.pop("beaten_by")
    facts |= {f"token {name}": value for name, value in claims.items()}
    if "token exp" in facts:
        facts["token exp"] = instant(facts["token exp"])
    # The endpoint of a container names no role.
    facts = {name: value for name, value in facts.items() if (name, value) != ("role_arn", None)}
    width = max(map(len, facts))
    for name, value in facts.items():
        # A claim is untrusted: a newline in it must not start a line.
        shown = "(unknown)" if value is None else str(value).replace("\n", "\\n")
        out.line(Styled(name.replace("_", " ").ljust(width), "dim"), "  ", shown)
    if beaten_by:
        out.note("A program here does not use this role (C01): ", beaten_by)
    return 0


def _facts(identity: Identity, credentials: Credentials, out: Printer) -> dict[str, Any]:
    config = identity if isinstance(identity, Config) else None
    file = config.token_file if config else None
    arn = credentials.assumed_role_arn
    if config is None:
        arn = _caller_arn(credentials, identity.region, out)
    token = {} if file is None else TokenFile(file).read().claims or {}
    return {
        "role_arn": config and config.name,
        "assumed_role_arn": arn,
        "account_id": credentials.account_id,
        "access_key_id": credentials.access_key_id,
        "expiration": expiration(credentials),
        "endpoint": endpoint_url(config) if config else identity.name,
        "region": identity.region,
        "token": {name: token[name] for name in _CLAIMS if name in token},
        "beaten_by": _overridden_by(),
    }


def _caller_arn(credentials: Credentials, region: str | None, out: Printer) -> str | None:
    """Return the ARN that STS has for these credentials; None, with a note, if it gives none."""
    try:
        config = without_role(EnvironSettings(os.environ), region)
        url = endpoint_url(config)
        return within(STEP, lambda: get_caller_arn(config, url, credentials))
    except (ConfigError, StepError) as error:
        out.note("The role is unknown, because STS was not reached or denied: ", str(error))
        return None


def _overridden_by() -> str | None:
    """Return what takes precedence in botocore's chain, as a sentence, or None."""
    first, _ = chain_checks(gather_facts(os.environ))
    return first.message if first.status == "fail" else None
