"""A pod without the variables of the webhook: one warning, unless other credentials are set up."""

from __future__ import annotations

import logging
from pathlib import Path

import boto3
import pytest
from botocore.session import Session

import irsa_creds
from botocore_sessions import pod, warnings, write_profiles
from irsa_creds._identity import not_configured

TROUBLESHOOTING = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
KEYS = "aws_access_key_id = AKID\naws_secret_access_key = secret\n"


@pytest.fixture(autouse=True)
def pod_without_irsa(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pod(monkeypatch, tmp_path)
    not_configured._warn_once.cache_clear()
    for name in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    irsa_creds.install()


def test_the_first_session_that_looks_for_credentials_logs_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    session = boto3.Session()
    assert warnings(caplog) == []
    for each in (session, boto3.Session(), Session()):
        assert each.get_credentials() is None

    (warning,) = warnings(caplog)
    assert [each.levelno for each in caplog.records if each.name == "irsa_creds"] == [
        logging.WARNING
    ]
    assert len(warning) <= 300
    assert warning[:80].startswith("IRSA is not configured in this pod")
    for cause in ("eks.amazonaws.com/role-arn", "older than it", "webhook"):
        assert cause in warning
    assert warning.endswith("irsa-creds doctor")
    assert warning in TROUBLESHOOTING.read_text()


def test_a_session_of_another_provider_that_takes_precedence_logs_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert boto3.Session().get_credentials().method == "env"
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials"),
        # Set to nothing on purpose.
        ("AWS_WEB_IDENTITY_TOKEN_FILE", ""),
    ],
)
def test_another_configured_identity_logs_nothing(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, value)
    Session().get_component("credential_provider").get_provider(
        "assume-role-with-web-identity"
    ).load()
    assert warnings(caplog) == []


@pytest.mark.parametrize("keys", [KEYS, "credential_process = echo", "sso_account_id = 1\n"])
def test_a_profile_with_other_credentials_logs_nothing(
    keys: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_profiles(monkeypatch, tmp_path, f"[default]\nregion = eu-west-1\n{keys}")
    Session().get_component("credential_provider").get_provider(
        "assume-role-with-web-identity"
    ).load()
    assert warnings(caplog) == []


def test_outside_of_a_pod_nothing_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    assert boto3.Session().get_credentials() is None
    assert warnings(caplog) == []


def test_without_install_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    irsa_creds.uninstall()
    assert boto3.Session().get_credentials() is None
    assert warnings(caplog) == []
