"""Parse a policy strictly; the error names the statement and the element."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from irsa_creds._masking import clean_text, quoted
from irsa_creds.diagnosis._policy.json_document import PolicyError, read_document
from irsa_creds.diagnosis._policy.operators import operator_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from irsa_creds.diagnosis._policy.operators import Operator

__all__ = [
    "LATEST",
    "Condition",
    "Policy",
    "PolicyError",
    "Statement",
    "as_list",
    "parse_permissions",
    "parse_policy",
]

LATEST, OLDEST = "2012-10-17", "2008-10-17"
_POLICY_ELEMENTS = {"Version", "Id", "Statement"}
_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Condition"}
_TRUST_ELEMENTS = _ELEMENTS | {"Principal"}
_PERMISSION_ELEMENTS = _ELEMENTS | {"Resource", "NotResource"}
_PRINCIPALS = {"AWS", "Federated", "Service", "CanonicalUser"}


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a statement.

    Attributes:
        operator: as written in the policy.
        key: the condition key, as written in the policy.
        values: the policy's values; numbers and Booleans as text.
        parsed_operator: the same operator, parsed.
    """

    operator: str
    key: str
    values: tuple[str, ...]
    parsed_operator: Operator


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy.

    Attributes:
        index: its position in the policy, from 0.
        sid: its `Sid`, or None.
        effect: "Allow" or "Deny".
        actions: of `Action`.
        not_actions: of `NotAction`; None without one.
        principals: pairs of kind and name; `"Principal": "*"` is ("*", "*").
        conditions: all of them must match.
        resources: of `Resource`, in a permission policy.
        not_resources: of `NotResource`; None without one.
    """

    index: int
    sid: str | None
    effect: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] | None = None
    principals: tuple[tuple[str, str], ...] = ()
    conditions: tuple[Condition, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """Return its name for messages, printable and without what looks like a token."""
        sid = clean_text(self.sid or "")
        return f'statement "{sid}"' if sid else f"statement {self.index + 1}"


@dataclass(frozen=True, slots=True)
class Policy:
    """A parsed policy.

    Attributes:
        version: "2012-10-17", or "2008-10-17" (also the default).
        statements: in the policy's order.
        document: its JSON.
    """

    version: str
    statements: tuple[Statement, ...]
    document: dict[str, Any]


def parse_policy(source: str | Mapping[str, Any]) -> Policy:
    """Return the trust policy of a role.

    Source of the rules: "Grammar of the IAM JSON policy language", IAM User Guide.

    Args:
        source: JSON text, URL-encoded or not, or a mapping: a policy, or the output of
            `aws iam get-role`. At most 65,536 characters.

    Raises:
        PolicyError: it is not a trust policy, or IAM would reject it.
    """
    return _parsed(source, _TRUST_ELEMENTS)


def parse_permissions(source: str | Mapping[str, Any]) -> Policy:
    """Return a permission policy, which names resources and no principal.

    Args:
        source: as for `parse_policy`.

    Raises:
        PolicyError: it is not a permission policy, or IAM would reject it.
    """
    return _parsed(source, _PERMISSION_ELEMENTS)


def _parsed(source: object, elements: set[str]) -> Policy:
    document = read_document(source)
    _expect_known("The policy", document, _POLICY_ELEMENTS)
    version = document.get("Version", OLDEST)
    if version not in (LATEST, OLDEST):
        raise PolicyError(
            f"The policy's Version is {quoted(version)}, but IAM has {LATEST} and {OLDEST}; "
            f'write "Version": "{LATEST}".'
        )
    found = as_list(document.get("Statement", []))
    if not found:
        raise PolicyError('The policy has no statements; write them as "Statement": [...].')
    statements = [_statement(index, entry, elements) for index, entry in enumerate(found)]
    return Policy(version, tuple(statements), document)


def _statement(index: int, entry: Any, elements: set[str]) -> Statement:
    where = f"Statement {index + 1}"
    if not isinstance(entry, dict):
        raise PolicyError(f"{where} is {quoted(entry)}, but it must be a JSON object.")
    if "Principal" in elements - entry.keys() and entry.keys() & {"Resource", "NotResource"}:
        raise PolicyError(
            f"{where} has a Resource and no Principal, so this is a permission policy. The trust "
            "policy is what 'aws iam get-role --role-name ROLE' prints."
        )
    _expect_known(where, entry, elements)
    sid, effect = entry.get("Sid"), entry.get("Effect")
    if not isinstance(sid, str | None):
        raise PolicyError(f"{where} has the Sid {quoted(sid)}, but it must be a text.")
    if effect not in ("Allow", "Deny"):
        raise PolicyError(f"{where} has {_absent('Effect', effect)}; write Allow or Deny.")
    not_actions = _texts(where, entry, "NotAction")
    not_resources = _texts(where, entry, "NotResource")
    _expect_one(where, entry, "Action", "NotAction")
    if "Resource" in elements:
        _expect_one(where, entry, "Resource", "NotResource")
    return Statement(
        index=index,
        sid=sid,
        effect=effect,
        actions=_texts(where, entry, "Action") or (),
        not_actions=not_actions,
        principals=_principals(where, entry) if "Principal" in elements else (),
        conditions=tuple(_conditions(where, entry.get("Condition", {}))),
        resources=_texts(where, entry, "Resource") or (),
        not_resources=not_resources,
    )


def _expect_known(where: str, found: dict[str, Any], known: set[str]) -> None:
    for name in found:
        if name == "NotPrincipal":
            raise PolicyError(
                f"{where} has NotPrincipal, which IAM rejects in the policy of a role; "
                "list the trusted identities in Principal."
            )
        if name not in known:
            cased = {one.lower(): one for one in known}
            near = get_close_matches(name.lower()[:64], cased, n=1)
            fix = f"write {cased[near[0]]}." if near else "remove it."
            raise PolicyError(f"{where} has the element {quoted(name)}, which IAM rejects; {fix}")


def _expect_one(where: str, entry: dict[str, Any], name: str, opposite: str) -> None:
    if (name in entry) == (opposite in entry):
        both = "both" if name in entry else "neither"
        raise PolicyError(
            f"{where} has {both} {name} {'and' if both == 'both' else 'nor'} {opposite}; write "
            "one of them."
        )


def _texts(where: str, entry: dict[str, Any], name: str) -> tuple[str, ...] | None:
    """Return one text or several; None if the element is absent."""
    if name not in entry:
        return None
    found = as_list(entry[name])
    if not found or not all(isinstance(text, str) for text in found):
        raise PolicyError(
            f"{where} has {_absent(name, entry[name])}; write a text or a list of texts."
        )
    return tuple(found)


def _principals(where: str, entry: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    named = entry.get("Principal")
    if named == "*":
        return (("*", "*"),)
    if not isinstance(named, dict) or not named:
        raise PolicyError(
            f"{where} has {_absent('Principal', named)}; name the OIDC provider of the issuer, as "
            "in "
            '{"Federated": "arn:aws:iam::123456789012:oidc-provider/ISSUER"}.'
        )
    _expect_known(f"The Principal of {where.lower()}", named, _PRINCIPALS)
    return tuple(
        (kind, name)
        for kind in named
        for name in _texts(f"The Principal of {where.lower()}", named, kind) or ()
    )


def _conditions(where: str, found: Any) -> Iterable[Condition]:
    """Yield the conditions in a `Condition` element; raise for an unknown operator."""
    for operator, tests in _entries(f"The Condition of {where.lower()}", found):
        parsed = operator_named(operator)
        if parsed is None:
            raise PolicyError(
                f"{where} has the condition operator {quoted(operator)}, which IAM does not have."
            )
        for key, wanted in _entries(f"{operator} in {where.lower()}", tests):
            values = [_value(where, key, value) for value in as_list(wanted)]
            yield Condition(operator, key, tuple(values), parsed)


def _entries(where: str, found: Any) -> Iterable[tuple[str, Any]]:
    if not isinstance(found, dict):
        raise PolicyError(f"{where} is {quoted(found)}, but it must be a JSON object.")
    return found.items()


def _value(where: str, key: str, value: Any) -> str:
    """Return a condition's value as text; IAM also accepts numbers and Booleans."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise PolicyError(
        f"{where} compares {quoted(key)} with {quoted(value)}, but values are texts, numbers or "
        "Booleans."
    )


def _absent(name: str, value: object) -> str:
    return f"no {name}" if value is None else f"{name} {quoted(value)}"


def as_list(value: Any) -> list[Any]:
    """Return a JSON value that may be one item or a list, as a list."""
    return value if isinstance(value, list) else [value]
