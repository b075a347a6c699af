"""What the page "Check a trust policy" is built from; tests/browser has it in a browser."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import check_page
import check_policy

if TYPE_CHECKING:
    from pathlib import Path

ISSUER = "https://token.actions.githubusercontent.com"
HOST = ISSUER.removeprefix("https://")
MAIN = "repo:acme/shop:ref:refs/heads/main"
STS = "sts.amazonaws.com"


def statement(subject: str, **elements: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{HOST}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{HOST}:sub": subject, f"{HOST}:aud": STS}},
    } | elements


def check(policy: object, identity: str = MAIN, issuer: str = ISSUER) -> dict[str, Any]:
    text = json.dumps(policy)
    found: dict[str, Any] = json.loads(check_policy.check(text, identity, issuer, STS, ""))
    return found


def marked(lines: list[tuple[str, bool]]) -> str:
    return "\n".join(line.strip() for line, is_marked in lines if is_marked)


def one(made: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [made]}


def test_a_subject_needs_no_token() -> None:
    assert check(one(statement(MAIN)))["verdict"] == "allow"
    assert check(one(statement(MAIN)), f"\n{MAIN}2 ")["verdict"] == "deny"


@pytest.mark.parametrize("form", ["{}\n", "Bearer {}", '"{}"', 'Bearer "{}"'])
def test_a_token_takes_precedence_over_issuer_and_audience(form: str) -> None:
    claims = {"iss": ISSUER, "sub": MAIN, "aud": STS}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    token = f"eyJhbGciOiJSUzI1NiJ9.{payload}.c2ln"
    found = check(one(statement(MAIN)), form.format(token), issuer="")
    assert found["verdict"] == "allow"
    assert token not in json.dumps(found)


@pytest.mark.parametrize("identity", ["shop/reports", "system:serviceaccount:shop:reports"])
def test_a_service_account_is_a_name_or_a_subject(identity: str) -> None:
    policy = one(statement("system:serviceaccount:shop:reports"))
    assert check(policy, identity)["verdict"] == "allow"
    assert "use NAMESPACE/NAME" in check(policy, "Shop/reports")["error"]


@pytest.mark.parametrize("listed", [True, False])
def test_the_nearest_statement_is_marked(*, listed: bool) -> None:
    far = statement(MAIN, Principal={"Service": "ec2.amazonaws.com"}, Condition={})
    near = statement(f"{MAIN}2", Sid="Near")
    found = check({"Statement": [far, near] if listed else near})
    assert json.loads(marked(found["policy"]).removeprefix('"Statement": ')) == near


def test_a_statement_that_denies_is_marked_rather_than_the_one_that_allows() -> None:
    denying = statement(MAIN, Effect="Deny")
    found = check({"Statement": [statement(MAIN), denying]})
    assert json.loads(marked(found["policy"])) == denying


def test_with_another_service_alone_no_statement_is_marked() -> None:
    found = check(one(statement(MAIN, Effect="Deny", Action="s3:GetObject")))
    assert found["verdict"] == "deny"
    assert marked(found["policy"]) == ""


def test_the_new_lines_of_a_corrected_policy_are_marked() -> None:
    made = statement(MAIN, Action="sts:AssumeRole")
    found = check({"Statement": [made]})
    assert marked(found["fixed"]) == '"Action": "sts:AssumeRoleWithWebIdentity",'


def test_an_invalid_policy_is_an_error() -> None:
    assert "not JSON" in json.loads(check_policy.check("{", MAIN, ISSUER, STS, ""))["error"]


def test_the_library_needs_only_the_standard_library(tmp_path: Path) -> None:
    archive = tmp_path / "library.zip"
    check_page.write_library(archive)
    assert archive.stat().st_size < 200_000
    given = [json.dumps(one(statement(MAIN))), MAIN, ISSUER, STS, ""]
    code = (
        f"import sys; sys.path.append({str(archive)!r}); import check_policy; "
        f"print(check_policy.check(*{given!r}))"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout)["verdict"] == "allow"


def test_a_page_with_the_policy_has_nothing_inline(tmp_path: Path) -> None:
    page = (
        '<head><meta charset="utf-8"><style>a {}</style></head>'
        '<script>b()</script><script src="c.js"></script><svg style="display: none;"></svg>'
    )
    strict = check_page.strict(page, tmp_path)
    assert re.findall("<(?:script|link)[^>]*>", strict) == [
        '<link rel="stylesheet" href="_static/theme.css">',
        '<script src="_static/theme.js">',
        '<script src="c.js">',
    ]
    assert (tmp_path / "theme.css").read_text() == "a {}"
    assert (tmp_path / "theme.js").read_text() == "b()"
    assert '<svg display="none">' in strict
    assert "default-src 'self'" in strict.partition("<link")[0]
