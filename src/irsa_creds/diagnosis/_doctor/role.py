"""R01 to R03: the role's ARN, its partition against the region, the session's name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from irsa_creds._errors import ConfigError
from irsa_creds._identity import arns, validation
from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._doctor.fixes import name_role

if TYPE_CHECKING:
    from irsa_creds.diagnosis._doctor.pod_facts import Facts

__all__ = ["partition_of", "role_checks"]

# Of botocore 1.44.8, data/partitions.json, regionRegex; what is none of these is "aws".
_PARTITIONS = (
    ("aws-cn", r"cn-.*|aws-cn-global"),
    ("aws-us-gov", r"us-gov-.*|aws-us-gov-global"),
    ("aws-iso", r"us-iso-.*|aws-iso-global"),
    ("aws-iso-b", r"us-isob-.*|aws-iso-b-global"),
    ("aws-iso-e", r"eu-isoe-.*|aws-iso-e-global"),
    ("aws-iso-f", r"us-isof-.*|aws-iso-f-global"),
    ("aws-eusc", r"eusc-.*"),
    ("aws", r"(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d+|aws-global"),
)


def role_checks(facts: Facts) -> tuple[Check, ...]:
    """Return R01 to R03."""
    return (_role(facts), _partition(facts), _session_name(facts))


def partition_of(region: str) -> str | None:
    """Return the partition that a region is in; None for one that nobody knows yet."""
    matching = (name for name, pattern in _PARTITIONS if re.fullmatch(pattern, region))
    return next(matching, None)


def _role(facts: Facts) -> Check:
    if facts.role is None:
        return Check("R01", "skipped", "No role is named: see E01 and E02.")
    try:
        arn = arns.role_arn(*facts.role, aws=facts.asks_aws)
    except ConfigError as error:
        return Check("R01", "fail", str(error), name_role(facts))
    return Check("R01", "ok", f"The role is {arn}.", data={"role_arn": arn})


def _partition(facts: Facts) -> Check:
    if facts.config is None:
        return Check("R02", "skipped", "Role and region are not both known: see R01 and V02.")
    if not facts.asks_aws:
        return Check("R02", "skipped", "The endpoint is not AWS's: it has no partitions.")
    of_role, region = facts.config.partition, facts.config.region
    data = {"role_partition": of_role, "region": region}
    if region is None:
        return _without_region(of_role, data)
    of_region = partition_of(region)
    if of_region is None:
        return Check("R02", "unknown", f"The partition of {region} is not known.", data=data)
    if of_region == of_role:
        return Check("R02", "ok", f"Role and region are both in {of_role}.", data=data)
    return Check(
        "R02",
        "fail",
        f"The role is in the partition {of_role}, but {region} is in {of_region}: no STS there "
        "knows it.",
        f"export AWS_REGION=REGION AWS_DEFAULT_REGION=REGION  # one of {of_role}'s",
        data | {"region_partition": of_region},
    )


def _without_region(of_role: str, data: dict[str, str | None]) -> Check:
    if of_role == "aws":
        return Check("R02", "ok", "The global endpoint is asked, which is in aws.", data=data)
    return Check(
        "R02",
        "fail",
        f"The role is in the partition {of_role}, but no region is named, and the global endpoint "
        "is in aws.",
        "export AWS_REGION=REGION AWS_DEFAULT_REGION=REGION",
        data,
    )


def _session_name(facts: Facts) -> Check:
    if facts.session_name is None:
        name = facts.host_session_name
        message = f"The session is named {name}, after the host."
        return Check("R03", "ok", message, data={"session_name": name})
    try:
        name = validation.session_name(*facts.session_name)
    except ConfigError as error:
        return Check(
            "R03", "fail", str(error), f"export AWS_ROLE_SESSION_NAME={facts.host_session_name}"
        )
    return Check("R03", "ok", f"The session is named {name}.", data={"session_name": name})
