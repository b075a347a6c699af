"""R01 to R03: the role ARN, its partition and region, the session name."""

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

# Source: botocore 1.44.8, data/partitions.json, regionRegex.
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
    """Return the partition of a region; None for an unknown region."""
    matching = (name for name, pattern in _PARTITIONS if re.fullmatch(pattern, region))
    return next(matching, None)


def _role(facts: Facts) -> Check:
    if facts.role is None:
        return Check("R01", "skipped", "No role is configured: see E01 and E02.")
    try:
        arn = arns.role_arn(*facts.role, aws=facts.uses_aws_sts)
    except ConfigError as error:
        return Check("R01", "fail", str(error), name_role(facts))
    return Check("R01", "ok", f"The role is {arn}.", data={"role_arn": arn})


def _partition(facts: Facts) -> Check:
    if facts.config is None:
        return Check("R02", "skipped", "Role and region are not both known: see R01 and V02.")
    if not facts.uses_aws_sts:
        return Check("R02", "skipped", "The endpoint is not AWS's, so partitions do not apply.")
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
        f"The role is in the partition {of_role}, but {region} is in {of_region}, and STS there "
        "does not know the role.",
        f"export AWS_REGION=REGION AWS_DEFAULT_REGION=REGION  # a region of {of_role}",
        data | {"region_partition": of_region},
    )


def _without_region(of_role: str, data: dict[str, str | None]) -> Check:
    if of_role == "aws":
        return Check(
            "R02", "ok", "The global endpoint is used, which is in the partition aws.", data=data
        )
    return Check(
        "R02",
        "fail",
        f"The role is in the partition {of_role}, but no region is configured, and the global "
        "endpoint is in aws.",
        "export AWS_REGION=REGION AWS_DEFAULT_REGION=REGION",
        data,
    )


def _session_name(facts: Facts) -> Check:
    if facts.session_name is None:
        name = facts.host_session_name
        message = f"The session name is {name}, after the host."
        return Check("R03", "ok", message, data={"session_name": name})
    try:
        name = validation.session_name(*facts.session_name)
    except ConfigError as error:
        return Check(
            "R03", "fail", str(error), f"export AWS_ROLE_SESSION_NAME={facts.host_session_name}"
        )
    return Check("R03", "ok", f"The session name is {name}.", data={"session_name": name})
