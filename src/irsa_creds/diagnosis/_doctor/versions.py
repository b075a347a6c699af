"""V01 and V02: installed versions, and the region."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from irsa_creds._errors import ConfigError
from irsa_creds._identity import validation
from irsa_creds._identity.endpoint_settings import region_of_issuer
from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._claims import redacted
from irsa_creds.diagnosis._doctor.role import partition_of

if TYPE_CHECKING:
    from irsa_creds.diagnosis._checks import Status
    from irsa_creds.diagnosis._doctor.pod_facts import Facts

__all__ = ["version_checks"]

_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
# A few services, such as S3 and IAM, have an endpoint for clients without a region (botocore
# 1.44.8, endpoints.json: partitionEndpoint).
_FAIL = "boto3 clients of most services will fail with NoRegionError"


class _Need(NamedTuple):
    name: str
    least: tuple[int, ...]
    status: Status
    lacks: str
    required: bool = False


_NEEDS = (
    _Need("botocore", (1, 40, 61), "fail", "names that irsa-creds uses", True),
    _Need("aiobotocore", (2, 25, 1), "fail", "names that irsa-creds uses"),
    _Need("filelock", (3, 30), "warn", "what the shared cache needs"),
)


def version_checks(facts: Facts) -> tuple[Check, ...]:
    """Return V01 and V02."""
    return (_versions(facts), _region(facts))


def _versions(facts: Facts) -> Check:
    data = {"python": facts.python, **facts.versions}
    troubles = [(need, text) for need in _NEEDS if (text := _trouble(need, facts))]
    if not troubles:
        names = ("botocore", "aiobotocore")
        shown = ", ".join(f"{n} {facts.versions[n]}" for n in names if n in facts.versions)
        return Check("V01", "ok", f"Python {facts.python}, {shown}.", data=data)
    status: Status = "fail" if any(need.status == "fail" for need, _ in troubles) else "warn"
    wanted = " ".join(f"'{need.name}>={_text(need.least)}'" for need, _ in troubles)
    return Check(
        "V01", status, f"{'; '.join(text for _, text in troubles)}.", f"pip install {wanted}", data
    )


def _trouble(need: _Need, facts: Facts) -> str:
    found = facts.versions.get(need.name)
    if found is None:
        return f"{need.name} is not installed" if need.required else ""
    # A development version counts as its release.
    release = tuple(int(each) for each in re.findall(r"\d{1,9}", found.split("+")[0])[:3])
    if release >= need.least:
        return ""
    return f"{need.name} {found} is older than {_text(need.least)} and lacks {need.lacks}"


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _region(facts: Facts) -> Check:
    named = [(name, facts.variables[name]) for name in _VARIABLES if name in facts.variables]
    if "region" in facts.profile.keys:
        named.append(("The profile's region", facts.profile.keys["region"]))
    for source, value in named:
        try:
            validation.region(value, source)
        except ConfigError as error:
            data = {name: redacted(each) for name, each in named}
            return Check("V02", "fail", str(error), _export("REGION"), data)
    return _named_region(facts, dict(named)) if named else _no_region(facts)


def _named_region(facts: Facts, named: dict[str, str]) -> Check:
    region, default = named.get("AWS_REGION"), named.get("AWS_DEFAULT_REGION")
    if region and default and region != default:
        return Check(
            "V02",
            "warn",
            f"AWS_REGION is {region}, but AWS_DEFAULT_REGION, which botocore's clients read, is "
            f"{default}.",
            _export(region),
            named,
        )
    if list(named) == ["AWS_REGION"]:
        message = f"AWS_REGION is {region}, but botocore reads AWS_DEFAULT_REGION only: {_FAIL}."
        return Check("V02", "warn", message, f"export AWS_DEFAULT_REGION={region}", named)
    source, value = next(iter(named.items()))
    return Check("V02", "ok", f"{source} is {value}.{_legacy(facts)}", data=named)


def _legacy(facts: Facts) -> str:
    """Return the effect of a setting that is sound where the pod reaches the internet."""
    if facts.config is None or not facts.config.legacy_global:
        return ""
    return (
        " But AWS_STS_REGIONAL_ENDPOINTS is legacy, so STS is called at its global endpoint, which "
        "has no VPC endpoint."
    )


def _no_region(facts: Facts) -> Check:
    if not facts.uses_aws_sts:
        return Check(
            "V02",
            "warn",
            f"No region is configured; this endpoint needs none, but {_FAIL}.",
            "export AWS_DEFAULT_REGION=us-east-1  # or the endpoint's own region",
        )
    region = region_of_issuer(facts.issuer or "")
    effect = (
        f"STS is called in the cluster's region {region}"
        if region
        else "STS is called at its global endpoint, and these credentials fail in opt-in regions"
    )
    return Check(
        "V02",
        "warn",
        f"No region is configured: {effect}, and {_FAIL}.",
        _export(region if region and _has_role(facts, region) else "REGION"),
        {"issuer_region": region},
    )


def _has_role(facts: Facts, region: str) -> bool:
    """Return whether the role may be in a region, as far as the partition is known."""
    return facts.config is None or partition_of(region) in {facts.config.partition, None}


def _export(region: str) -> str:
    return f"export AWS_REGION={region} AWS_DEFAULT_REGION={region}"
