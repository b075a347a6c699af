"""The page of gotchas: each is made here, and found by a check that the page names for it."""

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

PAGE = (ROOT / "docs" / "gotchas.md").read_text()
ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
ROLE = "arn:aws:iam::123456789012:role/reports"
SOURCES = (ROOT / "src" / "irsa_creds" / "diagnosis").rglob("*.py")
KNOWN = {found for file in SOURCES for found in re.findall(r'"([A-Z]\d\d)"', file.read_text())}


def sections() -> dict[str, str]:
    """Return each section's text by its heading."""
    parts = re.split(r"^## (.+)\n", PAGE, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


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
    # Nothing older is installed, and nothing is closed to root: tests/diagnosis has both.
    assert made | {"An SDK that is too old", "The token cannot be read"} == set(sections())


def changed(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new)


POLICIES = [
    ("A typo in the trust policy", "P01", changed("AssumeRoleWithWebIdentity", "AssumeRole")),
    ("A typo in the trust policy", "P02", changed("provider/oidc", "provider/https://oidc")),
    ("A typo in the trust policy", "P03", changed("amazonaws.com/id/", "amazonaws.com/")),
    ("A typo in the trust policy", "P04", changed("shop:reports", "shop:report")),
    ("A typo in the trust policy", "P05", changed("shop:reports", "shop:*")),
    ("The cluster was built anew", "P02", changed("/id/EXAMPLE", "/id/0123456")),
    ("The cluster was built anew", "P03", changed("/id/EXAMPLE", "/id/0123456")),
    ("The region in the issuer, and the region of STS", "P03", changed("oidc.eks.", "eks.oidc.")),
    ("The audience", "P06", changed('"sts.amazonaws.com"', '"vault"')),
    (
        "It works, and for everybody",
        "P11",
        lambda text: text.replace("shop:reports", "*").replace("Equals", "Like"),
    ),
    ("It works, and for everybody", "P08", changed("StringEquals", "ForAllValues:StringEquals")),
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
    ("A subPath mount", "M05", lambda text: text.partition("      containers:\n")[0] + MOUNTED),
    (
        "The audience",
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
PODS: list[tuple[str, str, dict[str, str | None], dict[str, Any]]] = [
    ("The region in the issuer, and the region of STS", "V02", {"AWS_REGION": None}, {}),
    (
        "The pod is older than the annotation",
        "E01",
        {"AWS_ROLE_ARN": None, "AWS_WEB_IDENTITY_TOKEN_FILE": None},
        {},
    ),
    ("The pod is older than the annotation", "E02", {"AWS_ROLE_ARN": None}, {}),
    ("A subPath mount", "F05", {}, {"age": 0.9}),
    ("A subPath mount", "T01", {}, {"lifetime": -60}),
    ("The audience", "T03", {}, {"audience": "pods.eks.amazonaws.com"}),
    ("The cluster's own token", "F04", {}, {"audience": "https://kubernetes.default.svc"}),
    (
        "Something else is asked first",
        "C01",
        {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"},
        {},
    ),
    ("A wrong clock", "T02", {}, {"age": -1}),
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
