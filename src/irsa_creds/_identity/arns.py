"""ARNs of roles and policies, and what people mistake for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from irsa_creds._errors import ConfigError
from irsa_creds._identity.validation import as_text, quoted

__all__ = ["policy_arns", "role_arn"]

MAX_POLICY_ARNS = 10  # STS's API reference, PolicyArns

_EXAMPLE = "arn:aws:iam::123456789012:role/NAME"
# Paths and names: IAM's API reference, CreateRole and CreatePolicy.
_PATH = r"(?:[\x21-\x7e]{1,510}/)?"
_PARTITION = r"aws(?:-[a-z0-9]+)*"
_ROLE = rf"(?a:arn:{_PARTITION}:iam::\d{{12}}:role/{_PATH}[\w+=,.@-]{{1,64}})"
_POLICY_ARN = rf"(?a:arn:{_PARTITION}:iam::(?:aws|\d{{12}}):policy/{_PATH}[\w+=,.@-]{{1,128}})"
_ANY_ROLE = r"arn:[^:\s]+:iam:[^:\s]*:[^:\s]*:role/[^\s'\"]+"
_ANY_POLICY_ARN = r"arn:[^:\s]+:iam:[^:\s]*:[^:\s]*:policy/[^\s'\"]+"
_OTHER_KINDS = {
    "policy": "a policy",
    "user": "a user",
    "group": "a group",
    "instance-profile": "an instance profile",
    "oidc-provider": "an OIDC provider",
}
# What people give in place of a role's ARN; the first that matches names the trouble.
_ROLE_TROUBLES = {
    r"": "it is empty",
    r"[\s'\"].*|.*[\s'\"]": "there are blanks or quotes around it",
    r".*\s.*": "there is a blank in it",
    r"(?!arn:).*": "an ARN begins with 'arn:'",
    r"arn:[^:]*:sts:.*:assumed-role/.*": "that is the ARN of a role's session",
    **{rf"arn:.*:{kind}/.*": f"that is the ARN of {a}" for kind, a in _OTHER_KINDS.items()},
    r"(?!(?:[^:]*:){5}).*": "there is a colon too few in it",
    r"(?!arn:[^:]*:iam:).*": "roles belong to the service 'iam'",
}
_AWS_ROLE_TROUBLES = {
    r"(?:[^:]*:){6}.*": "there is a colon too many in it",
    rf"(?!arn:{_PARTITION}:).*": "its partition is none of AWS's",
    r"(?!arn:[^:]*:iam::).*": "a role's ARN names no region",
    r"(?!arn:[^:]*:iam::\d{12}:).*": "its account id is not 12 digits",
    r"arn:[^:]*:iam::\d{12}:role/.*": (
        "a role's name has 1 to 64 letters, digits or characters of _+=,.@-"
    ),
}
_NO_ROLE = "'role/' and a name must follow the account id"


def role_arn(value: object, source: str, *, aws: bool) -> str:
    """Return the role's ARN: strict at AWS's endpoints, `arn:*:iam:*:*:role/*` at any other."""
    arn = as_text(value, source, f"give the role's ARN, like {_EXAMPLE}")
    if re.fullmatch(_ROLE if aws else _ANY_ROLE, arn):
        return arn
    troubles = _ROLE_TROUBLES | (_AWS_ROLE_TROUBLES if aws else {})
    matching = (why for p, why in troubles.items() if re.fullmatch(p, arn, re.ASCII | re.DOTALL))
    raise ConfigError(
        f"{source} is {quoted(arn)}, but {next(matching, _NO_ROLE)}; "
        f"give the role's ARN, like {_EXAMPLE}."
    )


def policy_arns(value: object, source: str, *, aws: bool) -> tuple[str, ...]:
    """Return the ARNs of managed session policies, at most ten of them."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ConfigError(f"{source} is {quoted(value)}, but it must be a list of policy ARNs.")
    if len(value) > MAX_POLICY_ARNS:
        raise ConfigError(
            f"{source} names {len(value)} policies, but STS takes {MAX_POLICY_ARNS}; name fewer."
        )
    for arn in value:
        pattern = _POLICY_ARN if aws else _ANY_POLICY_ARN
        if not isinstance(arn, str) or not re.fullmatch(pattern, arn):
            raise ConfigError(
                f"{source} names {quoted(arn)}, which is not the ARN of a managed policy; "
                "give ARNs like arn:aws:iam::aws:policy/ReadOnlyAccess."
            )
    return tuple(value)
