"""Which tokens share an entry: a renewed one does, one that STS can tell apart does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import irsa_creds
from races.harness import LoopbackSts
from sts_server import jwt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Claims of a GitHub token; the trust policy may have a condition on each.
DEPLOY: dict[str, Any] = {
    "iss": "https://token.actions.githubusercontent.com",
    "sub": "repo:octo/app:ref:refs/heads/main",
    "aud": "sts.amazonaws.com",
    "environment": "production",
    "job_workflow_ref": "octo/app/.github/workflows/deploy.yml@refs/heads/main",
    "repository": "octo/app",
    "run_attempt": "1",
    "exp": 1_700_000_300,
    "iat": 1_700_000_000,
    "nbf": 1_699_999_400,
    "jti": "4a576b35-ff09-41c5-af2c-ca62dd89b76a",
}
LINT = {**DEPLOY, "job_workflow_ref": "octo/app/.github/workflows/lint.yml@refs/heads/main"}
RENEWED = {"exp": 1_700_000_900, "iat": 1_700_000_600, "nbf": 1_700_000_000, "jti": "another"}

# Claims of a token that the kubelet projects.
POD: dict[str, Any] = {
    "iss": "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE",
    "sub": "system:serviceaccount:shop:reports",
    "aud": ["sts.amazonaws.com"],
    "exp": 1_700_086_400,
    "iat": 1_700_000_000,
    "nbf": 1_700_000_000,
    "jti": "0f6b0a0c-6f4f-4d92-9f8b-3e3a0d6a2a75",
    "kubernetes.io": {
        "namespace": "shop",
        "node": {"name": "ip-10-0-0-1", "uid": "node-uid"},
        "pod": {"name": "reports-0", "uid": "pod-uid"},
        "serviceaccount": {"name": "reports", "uid": "account-uid"},
        "warnafter": 1_700_003_607,
    },
}


@pytest.fixture
def sts() -> Iterator[LoopbackSts]:
    with LoopbackSts() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _pod(sts: LoopbackSts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in sts.pod(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE")


def key_of(claims: object, cache_dir: Path) -> str:
    """Return the key that a new process with this token gets, or the code of its error."""
    irsa_creds.reset()
    provider = irsa_creds.provider(token=lambda: jwt(claims), shared_cache=cache_dir)
    try:
        return provider.get().access_key_id
    except irsa_creds.ExchangeError as error:
        return error.code


def test_a_job_that_sts_denies_never_gets_the_credentials_of_another_job(
    sts: LoopbackSts, cache_dir: Path
) -> None:
    assert key_of(DEPLOY, cache_dir) == "ASIA0000000000000001"
    sts.error = "AccessDenied"
    assert key_of(LINT, cache_dir) == "AccessDenied"
    assert len(sts.calls) == 2
    assert key_of(DEPLOY, cache_dir) == "ASIA0000000000000001"


def test_a_job_never_gets_the_denial_of_another_job(sts: LoopbackSts, cache_dir: Path) -> None:
    sts.error = "AccessDenied"
    assert key_of(LINT, cache_dir) == "AccessDenied"
    sts.error = ""
    assert key_of(DEPLOY, cache_dir) == "ASIA0000000000000002"
    assert key_of(LINT, cache_dir) == "AccessDenied", "the failure of its own entry"
    assert len(sts.calls) == 2


@pytest.mark.parametrize(
    "other",
    [
        {**DEPLOY, "environment": "staging"},
        {**DEPLOY, "azp": "other-client"},
        {**DEPLOY, "amr": ["mfa"]},
        {**DEPLOY, "run_attempt": 1},
        {name: value for name, value in DEPLOY.items() if name != "environment"},
        {**DEPLOY, "aud": ["sts.amazonaws.com"]},
        {**DEPLOY, "https://aws.amazon.com/tags": {"principal_tags": {"tenant": ["a"]}}},
        {**DEPLOY, "kubernetes.io": "not an object"},
    ],
)
def test_tokens_that_differ_in_a_claim_have_separate_entries(
    other: dict[str, Any], sts: LoopbackSts, cache_dir: Path
) -> None:
    assert key_of(DEPLOY, cache_dir) != key_of(other, cache_dir)
    assert len(sts.calls) == 2


def test_two_pods_have_separate_entries(sts: LoopbackSts, cache_dir: Path) -> None:
    other = {"name": "reports-1", "uid": "other-uid"}
    known = {**POD["kubernetes.io"], "pod": other}
    assert key_of(POD, cache_dir) != key_of({**POD, "kubernetes.io": known}, cache_dir)
    assert len(sts.calls) == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(DEPLOY, {**DEPLOY, **RENEWED}, id="GitHub"),
        pytest.param(
            POD,
            {**POD, **RENEWED, "kubernetes.io": {**POD["kubernetes.io"], "warnafter": 1}},
            id="kubelet",
        ),
        pytest.param(DEPLOY, dict(reversed(DEPLOY.items())), id="in another order"),
    ],
)
def test_a_renewed_token_shares_the_entry(
    before: dict[str, Any], after: dict[str, Any], sts: LoopbackSts, cache_dir: Path
) -> None:
    assert key_of(before, cache_dir) == key_of(after, cache_dir)
    assert len(sts.calls) == 1
