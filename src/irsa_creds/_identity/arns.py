"""Check the ARNs of roles and policies, and name common mistakes."""

from __future__ import annotations

import re

from irsa_creds._errors import ConfigError
from irsa_creds._identity.validation import as_list, expect_at_most
from irsa_creds._masking import quoted

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
# Common mistakes in a role's ARN: the first pattern that matches gives the message.
_ROLE_TROUBLES = {
    r"": "it is empty",
    r"[\s'\"].*|.*[\s'\"]": "it has blanks or quotes around it",
    r".*\s.*": "it has a blank in it",
    r"(?!arn:).*": "an ARN begins with 'arn:'",
    r"arn:[^:]*:sts:.*:assumed-role/.*": "it is the ARN of a role's session",
    **{rf"arn:.*:{kind}/.*": f"it is the ARN of {a}" for kind, a in _OTHER_KINDS.items()},
    r"(?!(?:[^:]*:){5}).*": "it has too few colons",
    r"(?!arn:[^:]*:iam:).*": "roles belong to the service 'iam'",
}
_AWS_ROLE_TROUBLES = {
    r"(?:[^:]*:){6}.*": "it has too many colons",
    rf"(?!arn:{_PARTITION}:).*": "its partition is not one of AWS's",
    r"(?!arn:[^:]*:iam::).*": "a role's ARN names no region",
    r"(?!arn:[^:]*:iam::\d{12}:).*": "its account id is not 12 digits",
    r"arn:[^:]*:iam::\d{12}:role/.*": (
        "a role's name has 1 to 64 letters, digits or characters of _+=,.@-"
    ),
}
_NO_ROLE_NAME = "'role/' and a name must follow the account id"


def role_arn(value: object, origin: str, *, aws: bool) -> str:
    """Return the role's ARN: strict at AWS's endpoints, `arn:*:iam:*:*:role/*` at any other."""
    trouble = "it is not text"
    if isinstance(value, str):
        if re.fullmatch(_ROLE if aws else _ANY_ROLE, value):
            return value
        troubles = _ROLE_TROUBLES | (_AWS_ROLE_TROUBLES if aws else {})
        found = (t for p, t in troubles.items() if re.fullmatch(p, value, re.ASCII | re.DOTALL))
        trouble = next(found, _NO_ROLE_NAME)
    raise ConfigError(
        f"{origin} is {quoted(value)}, but {trouble}; give the role's ARN, like {_EXAMPLE}."
    )


def policy_arns(value: object, origin: str, *, aws: bool) -> tuple[str, ...]:
    """Return the ARNs of managed session policies."""
    arns = as_list(value, origin, "policy ARNs")
    expect_at_most(MAX_POLICY_ARNS, arns, origin, "policy ARNs")
    for arn in arns:
        pattern = _POLICY_ARN if aws else _ANY_POLICY_ARN
        if not isinstance(arn, str) or not re.fullmatch(pattern, arn):
            raise ConfigError(
                f"{origin} has {quoted(arn)}, which is not the ARN of a managed policy; "
                "give ARNs like arn:aws:iam::aws:policy/ReadOnlyAccess."
            )
    return tuple(arns)
