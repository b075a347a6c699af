"""`explain` for a subject without a token, as a job of CI checks a policy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from irsa_creds import ConfigError, explain
from irsa_creds.cli import main

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "123456789012"
GITHUB = "token.actions.githubusercontent.com"
MAIN = "repo:acme/app:ref:refs/heads/main"
PROJECT = "project_path:acme/app:ref_type:branch:ref:main"
POD = "system:serviceaccount:prod:reader"
EKS = f"oidc.eks.eu-west-1.amazonaws.com/id/{'0123456789ABCDEF' * 2}"


def policy(provider: str, **tests: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{provider}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringLike": {f"{provider}:{claim}": v for claim, v in tests.items()}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.mark.parametrize(
    ("subject", "provider", "audience", "given"),
    [
        (MAIN, GITHUB, "sts.amazonaws.com", {}),
        (MAIN, GITHUB, "https://github.com/acme", {"audience": "https://github.com/acme"}),
        (MAIN, "github.example.com/_services/token", "sts.amazonaws.com", {"issuer": "URL"}),
        (PROJECT, "gitlab.com", "https://gitlab.com", {}),
        (PROJECT, "gitlab.example.com", "https://gitlab.example.com", {"issuer": "URL"}),
        (POD, EKS, "sts.amazonaws.com", {"issuer": "URL"}),
        (POD, EKS, "vault", {"issuer": "URL", "audience": "vault"}),
        ("client@clients", "acme.auth0.com/", "sts.amazonaws.com", {"issuer": "URL"}),
    ],
)
def test_a_subject_has_the_usual_issuer_and_audience(
    subject: str, provider: str, audience: str, given: dict[str, str]
) -> None:
    urls: dict[str, Any] = {k: f"https://{provider}" if v == "URL" else v for k, v in given.items()}
    found = explain(policy(provider, sub=subject, aud=audience), subject=subject, **urls)
    assert (found.verdict, found.findings) == ("allow", ())
    assert found.asked["issuer"] == f"'https://{provider}'"
    wrong = explain(policy(provider, sub=f"{subject}s", aud=audience), subject=subject, **urls)
    assert (wrong.verdict, wrong.findings[0].id) == ("deny", "P04")


def test_an_issuer_may_lack_its_scheme() -> None:
    found = explain(policy(GITHUB, sub=MAIN, aud="x"), subject=MAIN, issuer=GITHUB, audience="x")
    assert found.verdict == "allow"


def test_a_condition_on_another_claim_is_unknown() -> None:
    tested = policy(GITHUB, sub=MAIN, aud="sts.amazonaws.com", repository_id="42")
    found = explain(tested, subject=MAIN)
    assert found.summary == ("UNKNOWN (trust policy only): only a token tells its repository_id")
    [finding] = found.findings
    assert (finding.id, finding.fix) == ("P12", "Give a token in place of the subject.")
    denied = explain(policy(GITHUB, sub="x", aud="sts.amazonaws.com", actor="bob"), subject=MAIN)
    assert [(each.id, each.severity) for each in denied.findings] == [
        ("P04", "error"),
        ("P12", "info"),
    ]
    # Of a pod's token, all claims that IAM can test are known.
    email = policy(EKS, sub=POD, aud="sts.amazonaws.com", email="x")
    assert explain(email, subject=POD, issuer=f"https://{EKS}").verdict == "deny"


def test_no_policy_is_corrected_for_the_subject_of_a_pull_request() -> None:
    found = explain(
        policy(GITHUB, sub=MAIN, aud="sts.amazonaws.com"), subject="repo:acme/app:pull_request"
    )
    assert (found.verdict, found.fixed) == ("deny", None)


@pytest.mark.parametrize(
    "given",
    [
        {"subject": ""},
        {"subject": "a\nb", "issuer": "https://a.b"},
        {"subject": "client@clients"},
        {"subject": POD},
        {"subject": MAIN, "issuer": "ftp://a.b"},
        {"subject": MAIN, "audience": ""},
        {"subject": MAIN, "role_arn": "reader"},
        {"subject": MAIN, "token": "a.b.c"},
        {"subject": POD, "service_account": "prod/reader", "issuer": f"https://{EKS}"},
        {"subject": POD, "pod_identity": True},
    ],
)
def test_a_subject_must_be_unambiguous(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        explain(policy(GITHUB, sub=MAIN), **given)


def test_the_command_takes_a_subject(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "trust.json").write_text(
        json.dumps(policy(GITHUB, sub=MAIN, aud="sts.amazonaws.com"))
    )
    arguments = ["explain", "--policy", str(tmp_path / "trust.json"), "--json", "--subject"]
    assert main([*arguments, MAIN]) == 0
    fields = json.loads(capsys.readouterr().out)
    assert [fields[name] for name in ("subject", "issuer", "audience")] == [
        MAIN,
        f"https://{GITHUB}",
        ["sts.amazonaws.com"],
    ]
    assert main([*arguments, "repo:acme/app:environment:prod"]) == 1
    assert main([*arguments, POD]) == 2


@pytest.mark.parametrize("form", ["{}", "Bearer {}", "repo:{}"])
def test_a_token_in_the_place_of_its_subject_is_rejected_and_not_shown(form: str) -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
    with pytest.raises(ConfigError, match="The subject is a token") as caught:
        explain(policy(GITHUB, sub=MAIN), subject=form.format(token), issuer=f"https://{GITHUB}")
    assert token not in str(caught.value)
