"""Each cause on the troubleshooting page is produced here, and a check that it names finds it."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from docs.markdown import ROOT
from irsa_creds.diagnosis._doctor.doctor import doctor
from irsa_creds.diagnosis._explain.explain import explain
from irsa_creds.diagnosis._policy.templates import manifest, trust_policy
from irsa_creds.testing import Issuer, ProjectedVolume

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
ROLE = "arn:aws:iam::123456789012:role/reports"
SOURCES = (ROOT / "src" / "irsa_creds").rglob("*.py")
KNOWN = {found for file in SOURCES for found in re.findall(r'"([A-Z]\d\d)"', file.read_text())}


def sections() -> dict[str, str]:
    """Return the text of each cause by its heading; the tables of codes are no causes."""
    causes, *_ = PAGE.partition("\n## All error codes\n")
    return dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", causes, re.MULTILINE | re.DOTALL))


def named(section: str) -> set[str]:
    """Return the checks that the end of a section names."""
    last = sections()[section].strip().splitlines()[-1]
    assert last.startswith("Found by: "), section
    return set(re.findall(r"\b[A-Z]\d\d\b", last))


@pytest.mark.parametrize("section", sections())
def test_it_ends_in_the_checks_that_find_it(section: str) -> None:
    assert named(section)
    assert named(section) <= KNOWN


def test_every_section_is_made_here_or_says_why_not() -> None:
    made = {section for section, *_ in [*POLICIES, *MANIFESTS, *PODS]}
    # Nothing older is installed, nothing is closed to root, and STS is not called here:
    # tests/diagnosis and tests/chain have these.
    elsewhere = {
        "The SDK is too old",
        "The process runs as another user",
        "A chained role is denied",
    }
    assert made | elsewhere == set(sections())


def changed(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new)


POLICIES = [
    ("The trust policy does not match", "P01", changed("AssumeRoleWithWebIdentity", "AssumeRole")),
    ("The trust policy does not match", "P02", changed("provider/oidc", "provider/https://oidc")),
    ("The trust policy does not match", "P03", changed("amazonaws.com/id/", "amazonaws.com/")),
    ("The trust policy does not match", "P04", changed("shop:reports", "shop:report")),
    ("The trust policy does not match", "P05", changed("shop:reports", "shop:*")),
    ("The cluster was recreated", "P02", changed("/id/EXAMPLE", "/id/0123456")),
    ("The cluster was recreated", "P03", changed("/id/EXAMPLE", "/id/0123456")),
    ("Two regions differ, or no region is set", "P03", changed("oidc.eks.", "eks.oidc.")),
    ("The audience does not match", "P06", changed('"sts.amazonaws.com"', '"vault"')),
    (
        "The trust policy is too wide",
        "P11",
        lambda text: text.replace("shop:reports", "*").replace("Equals", "Like"),
    ),
    ("The trust policy is too wide", "P08", changed("StringEquals", "ForAllValues:StringEquals")),
]


@pytest.mark.parametrize(("section", "check", "change"), POLICIES)
def test_explain_finds_it(section: str, check: str, change: Callable[[str], str]) -> None:
    good = json.dumps(trust_policy("shop/reports", ISSUER, "123456789012"))
    changed = change(good)
    assert changed != good
    found = explain(changed, service_account="shop/reports", issuer=ISSUER, role_arn=ROLE).findings
    assert check in {finding.id for finding in found}
    assert check in named(section)


MOUNTED = """\
      volumes:
        - name: token
          projected:
            sources:
              - serviceAccountToken: {path: token, audience: vault}
      containers:
        - name: app
          image: app
          env:
            - {name: AWS_WEB_IDENTITY_TOKEN_FILE, value: /token}
          volumeMounts:
            - {name: token, mountPath: /token, subPath: token}
"""
MANIFESTS = [
    (
        "The annotation is on the wrong object",
        "M01",
        changed(
            "    metadata:\n",
            f"    metadata:\n      annotations: {{eks.amazonaws.com/role-arn: {ROLE}}}\n",
        ),
    ),
    (
        "The annotation is on the wrong object",
        "M02",
        changed('serviceAccountName: "reports"', "hostNetwork: false"),
    ),
    (
        "The annotation is on the wrong object",
        "M03",
        changed('"shop"\n  annotations', '"other"\n  annotations'),
    ),
    ("The annotation is on the wrong object", "M04", changed("/role-arn", "/role")),
    (
        "The token is mounted with subPath",
        "M05",
        lambda text: text.partition("      containers:\n")[0] + MOUNTED,
    ),
    (
        "The audience does not match",
        "M05",
        lambda text: (
            text.partition("      containers:\n")[0] + MOUNTED.replace(", subPath: token", "")
        ),
    ),
]


@pytest.mark.parametrize(("section", "check", "change"), MANIFESTS)
def test_doctor_finds_it_in_a_manifest(
    section: str, check: str, change: Callable[[str], str], tmp_path: Path
) -> None:
    good = manifest("shop/reports", ROLE)
    path = tmp_path / "app.yaml"
    path.write_text(change(good))
    assert path.read_text() != good
    found = doctor(manifest=path, environ={"HOME": str(tmp_path)})
    assert check in {each.id for each in found.checks if each.status in {"fail", "warn"}}
    assert check in named(section)


DAY = 86_400
NO_VARIABLES: dict[str, str | None] = {"AWS_ROLE_ARN": None, "AWS_WEB_IDENTITY_TOKEN_FILE": None}
PODS: list[tuple[str, str, dict[str, str | None], dict[str, Any]]] = [
    ("Two regions differ, or no region is set", "V02", {"AWS_REGION": None}, {}),
    ("The pod is older than the annotation", "E01", NO_VARIABLES, {}),
    ("The webhook is missing or was late", "E01", NO_VARIABLES, {}),
    ("An operator removes the annotation", "E01", NO_VARIABLES, {}),
    ("The pod is older than the annotation", "E02", {"AWS_ROLE_ARN": None}, {}),
    ("The token is mounted with subPath", "F05", {}, {"age": 0.9}),
    ("The token is mounted with subPath", "T01", {}, {"lifetime": -60}),
    ("The audience does not match", "T03", {}, {"audience": "pods.eks.amazonaws.com"}),
    (
        "The file is the token of the API server",
        "F04",
        {},
        {"audience": "https://kubernetes.default.svc"},
    ),
    (
        "Something else takes precedence",
        "C01",
        {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"},
        {},
    ),
    ("The clock is wrong", "T02", {}, {"age": -1}),
]


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer(ISSUER)


@pytest.mark.parametrize(("section", "check", "variables", "claims"), PODS)
def test_doctor_finds_it_in_a_pod(
    section: str,
    check: str,
    *,
    variables: dict[str, str | None],
    claims: dict[str, Any],
    issuer: Issuer,
    tmp_path: Path,
) -> None:
    claims = dict(claims)
    if (age := claims.pop("age", None)) is not None:
        claims["issued_at"] = time.time() - age * DAY
    volume = ProjectedVolume(tmp_path / "serviceaccount")
    volume.write(issuer.token(namespace="shop", service_account="reports", **claims))
    pod = {
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(volume.token_file),
        "AWS_REGION": "eu-west-1",
        "HOME": str(tmp_path),
        **variables,
    }
    found = doctor(environ={name: value for name, value in pod.items() if value is not None})
    assert check in {each.id for each in found.checks if each.status in {"fail", "warn"}}
    assert check in named(section)
