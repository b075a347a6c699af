"""What the page "Check a trust policy" calls in the browser: `explain`, with its result as JSON."""

from __future__ import annotations

import json
import re
from difflib import SequenceMatcher
from textwrap import indent
from typing import Any

from irsa_creds._errors import IrsaError
from irsa_creds.diagnosis._explain.explain import CAVEAT, Explanation, explain
from irsa_creds.diagnosis._policy.json_document import read_document

__all__ = ["check"]

_SERVICE_ACCOUNT = "[^:/]+/[^:/]+"
# A JWT begins with a JSON object in base64; no subject does.
_TOKEN = "eyJ"  # noqa: S105 - it is no secret


def check(policy: str, identity: str, issuer: str, audience: str, role_arn: str) -> str:
    """Return the findings about a trust policy, as JSON.

    Args:
        policy: as pasted: the trust policy, or the output of `aws iam get-role`.
        identity: a token, a subject, or "NAMESPACE/NAME" of a service account.
        issuer: of the subject; not used for a token.
        audience: of the subject; not used for a token.
        role_arn: of the role; may be empty.
    """
    try:
        # A token may come from a header or from JSON.
        pasted = identity.strip().removeprefix("Bearer ").strip(' "')
        who = _who(pasted, issuer.strip(), audience.strip())
        found = explain(policy, role_arn=role_arn.strip() or None, **who)
    except IrsaError as error:
        return json.dumps({"error": str(error)})
    document = read_document(policy)
    return json.dumps(
        {
            **found.as_dict(),
            "summary": found.summary,
            "asked": dict(found.asked),
            "policy": _with_statement(document, found),
            "fixed": None if found.fixed is None else _with_changes(document, found.fixed),
            "caveat": CAVEAT,
        }
    )


def _who(identity: str, issuer: str, audience: str) -> dict[str, Any]:
    """Return the arguments of `explain` for a token, a service account or a subject."""
    if identity.startswith(_TOKEN):
        return {"token": identity}
    kind = "service_account" if re.fullmatch(_SERVICE_ACCOUNT, identity) else "subject"
    return {kind: identity, "issuer": issuer, "audience": audience}


def _with_statement(document: dict[str, Any], found: Explanation) -> list[tuple[str, bool]]:
    """Return the lines of a policy, and whether each belongs to the statement to look at."""
    lines = _lines(document)
    named = [each.statement for each in found.findings if each.severity == "error"]
    number = next(iter(named), None) or found.statement
    if number is None:
        return [(line, False) for line in lines]
    statements = document["Statement"]
    listed = isinstance(statements, list)
    statement = statements[number - 1] if listed else statements
    shown = indent(json.dumps(statement, indent=2), "    " if listed else "  ").lstrip()
    first = "\n".join(lines).partition(shown)[0].count("\n")
    marked = range(first, first + len(shown.splitlines()))
    return [(line, at in marked) for at, line in enumerate(lines)]


def _with_changes(document: dict[str, Any], fixed: dict[str, Any]) -> list[tuple[str, bool]]:
    """Return the lines of a corrected policy, and whether each is new."""
    lines = _lines(fixed)
    # A line that only gets a comma, because another follows it, is not new.
    before, after = ([each.rstrip(",") for each in some] for some in (_lines(document), lines))
    same = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    kept = {at for block in same for at in range(block.b, block.b + block.size)}
    return [(line, at not in kept) for at, line in enumerate(lines)]


def _lines(document: dict[str, Any]) -> list[str]:
    return json.dumps(document, indent=2).splitlines()
