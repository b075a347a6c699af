"""Helpers for tests of install(): a pod with IRSA, and checks of botocore's sessions."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import boto3
import boto3.session
import botocore
import botocore.credentials
import botocore.session
from botocore.credentials import Credentials, DeferredRefreshableCredentials

from fake_network import FakeNetwork, set_irsa_environ
from irsa_creds._sessions import install
from irsa_creds.botocore import IrsaCredentials, IrsaProvider

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def pod(monkeypatch: pytest.MonkeyPatch, folder: Path) -> FakeNetwork:
    """Set up a pod with IRSA that has not used boto3 yet; return its fake network."""
    set_irsa_environ(monkeypatch, folder)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    install._warn_of_missing.cache_clear()
    return FakeNetwork.install(monkeypatch)


def write_profiles(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    (folder / "config").write_text(text)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))


SECOND = "arn:aws:iam::123456789012:role/second"


def write_target_profile(monkeypatch: pytest.MonkeyPatch, folder: Path, **keys: str) -> None:
    """Write the profile `target`, a role with a web identity profile as its source."""
    more = "".join(f"{key} = {value}\n" for key, value in keys.items())
    write_profiles(
        monkeypatch,
        folder,
        f"[profile target]\nrole_arn = {SECOND}\nsource_profile = app\n{more}[profile app]\n"
        f"role_arn = arn:aws:iam::123456789012:role/first\n"
        f"web_identity_token_file = {folder / 'token'}\n",
    )


def give_node_role(session: Any) -> Credentials:
    """Give a session credentials of the node's metadata service; return them."""
    core = getattr(session, "_session", session)
    core._credentials = Credentials("AKIDNODE", "secret", "token", method="iam-role")
    return core._credentials


def is_ours(session: Any) -> bool:
    """Return whether a session's credentials are irsa-creds's and not botocore's own."""
    credentials = session.get_credentials()
    ours = isinstance(credentials, IrsaCredentials)
    assert ours or isinstance(credentials, DeferredRefreshableCredentials)
    assert credentials.method == IrsaProvider.METHOD
    return ours


def key_of(signed: str | dict[str, Any]) -> str:
    """Return the access key in a presigned URL, a form of S3 or a database's password."""
    if isinstance(signed, dict):
        fields: dict[str, str] = signed["fields"]
    else:
        fields = {name: each[0] for name, each in parse_qs(urlsplit(signed).query).items()}
    credential = fields.get("X-Amz-Credential") or fields.get("x-amz-credential")
    return credential.split("/")[0] if credential else fields["AWSAccessKeyId"]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.name == "irsa_creds"]


def attributes(*more: ModuleType) -> dict[str, Any]:
    """Return every attribute of the modules and classes that install() could change."""
    found: dict[str, Any] = {}
    modules = (botocore, botocore.credentials, botocore.session, boto3, boto3.session)
    for module in (*modules, *more):
        for name, value in vars(module).items():
            if isinstance(value, ModuleType):
                continue
            found[f"{module.__name__}.{name}"] = list(value) if type(value) is list else value
            if isinstance(value, type):
                found.update({f"{value.__qualname__}.{k}": v for k, v in vars(value).items()})
    return found
