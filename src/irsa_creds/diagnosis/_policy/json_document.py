"""Read the JSON of a policy from any of its usual forms, bounded and without duplicate keys."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn
from urllib.parse import unquote

from irsa_creds._errors import ConfigError
from irsa_creds._identity.arns import role_arn
from irsa_creds._masking import quoted

__all__ = ["PolicyError", "read_document", "role_of"]

# IAM's longest policy has 10,240 characters; a response of GetRole adds some.
_LIMIT = 65_536
# A response of GetRole has eight levels; Python cannot print a thousand.
_DEEPEST = 32
_EXAMPLE = '{"Version": "2012-10-17", "Statement": [...]}'
# A trust policy may be inside of a response of GetRole, or of the role in it.
_WRAPPERS = ("Role", "AssumeRolePolicyDocument")


class PolicyError(ConfigError, ValueError):
    """The policy is invalid; the message says where and why."""

    # The public module, which tracebacks and pickles name.
    __module__ = "irsa_creds"


def read_document(source: object) -> dict[str, Any]:
    """Return the policy as a dictionary, from JSON (URL-encoded or not) or a mapping.

    Args:
        source: a policy, a role as returned by IAM, or a response of GetRole.

    Raises:
        PolicyError: it contains no JSON object.
    """
    found = source
    # Response, role and document text may each contain the next.
    for _ in range(len(_WRAPPERS) + 2):
        if isinstance(found, str):
            found = _decoded(found)
        elif isinstance(found, Mapping) and (inner := _inner(found)) is not None:
            found = inner
        else:
            break
    if not isinstance(found, Mapping):
        raise PolicyError(
            f"The policy is {_kind(found)}, but it must be a JSON object like {_EXAMPLE}."
        )
    # Encoding and decoding makes a bounded copy that contains only JSON.
    document: dict[str, Any] = _decoded(_encoded(found))
    return document


def role_of(source: object) -> str | None:
    """Return the ARN of the role if the source contains it, else None.

    Args:
        source: as for `read_document`.
    """
    with suppress(ConfigError):
        found = _decoded(source) if isinstance(source, str) else source
        role = found.get("Role", found) if isinstance(found, Mapping) else None
        if isinstance(role, Mapping) and "Statement" not in role:
            return role_arn(role.get("Arn"), "Role.Arn", aws=True)
    return None


def _inner(mapping: Mapping[Any, Any]) -> object | None:
    if "Statement" in mapping:
        return None
    return next((mapping[name] for name in _WRAPPERS if name in mapping), None)


def _decoded(text: str) -> Any:
    """Return the value of a JSON text."""
    if len(text) > _LIMIT:
        raise PolicyError(
            f"The policy has {len(text):,} characters, more than the limit of {_LIMIT:,}; "
            "IAM allows 10,240."
        )
    text = text.removeprefix("\ufeff").strip()
    # The IAM API returns URL-encoded policies; no JSON begins with a percent sign.
    text = unquote(text) if text.startswith("%") else text
    problem = "it is empty"
    try:
        if text:
            found = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
            if _is_shallow(found):
                return found
            problem = "it is nested too deeply"
    except PolicyError:
        raise
    except (RecursionError, ValueError) as error:
        problem = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    raise PolicyError(f"The policy is not JSON: {problem}. Expected: {_EXAMPLE}.")


def _is_shallow(found: object) -> bool:
    level = [found]
    for _ in range(_DEEPEST):
        objects = [inner for one in level if isinstance(one, dict) for inner in one.values()]
        level = objects + [inner for one in level if isinstance(one, list) for inner in one]
        if not level:
            return True
    return False


def _encoded(mapping: Mapping[Any, Any]) -> str:
    try:
        return json.dumps(dict(mapping), ensure_ascii=False, separators=(",", ":"))
    except (RecursionError, TypeError, ValueError) as error:
        problem = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    raise PolicyError(f"The policy cannot be written as JSON: {problem}.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise PolicyError(
            f"The policy has the key {quoted(twice)} twice in one object, which IAM rejects; "
            "keep one, or write its values as a list."
        )
    return found


def _no_constant(name: str) -> NoReturn:
    raise PolicyError(f"The policy contains {name}, which is not JSON.")


def _kind(value: object) -> str:
    kinds = {list: "a list", type(None): "null", str: "a text", bool: "a Boolean", int: "a number"}
    return kinds.get(type(value), f"of type {type(value).__name__}")
