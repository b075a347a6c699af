"""`whoami`: the pod's identity in AWS, without secrets."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

import irsa_creds
from irsa_creds.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from cli.container import Container
    from irsa_creds.testing import Pod


@pytest.fixture
def here(container: Container, monkeypatch: pytest.MonkeyPatch) -> Container:
    """The container is this very process."""
    for name, value in container.environ.items():
        monkeypatch.setenv(name, value)
    return container


def test_it_prints_the_role_of_the_response_and_the_tokens_claims(
    here: Container, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "pod-7")
    assert main(["whoami", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "schema": 1,
        "role_arn": here.pod.role_arn,
        "assumed_role_arn": "arn:aws:sts::123456789012:assumed-role/app-role/pod-7",
        "account_id": "123456789012",
        "access_key_id": here.given[0],
        "expiration": found["expiration"],
        "endpoint": here.sandbox.sts_url,
        "region": "us-east-1",
        "token": {
            "iss": here.sandbox.issuer.url,
            "sub": "system:serviceaccount:default:app",
            "aud": ["sts.amazonaws.com"],
            "exp": found["token"]["exp"],
        },
        "beaten_by": None,
    }


def test_it_prints_the_same_as_text(here: Container, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["whoami"]) == 0
    text = capsys.readouterr().out
    lines = dict(line.split("  ", 1) for line in text.splitlines())
    assert lines["token sub"].strip() == "system:serviceaccount:default:app"
    assert lines["account id"].strip() == "123456789012"
    assert lines["token exp"].strip().endswith("Z")
    found = irsa_creds.provider().get()
    assert not any(secret in text for secret in (found.secret_access_key, found.session_token))
    assert here.pod.token_file.read_text() not in text


def test_fields_missing_in_the_response_are_not_invented(
    here: Container, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(*_: object) -> dict[str, object]:
        return {"account_id": None, "token": {}, "beaten_by": None}

    monkeypatch.setattr("irsa_creds.cli._whoami._facts", no_more)
    assert main(["whoami"]) == 0
    assert capsys.readouterr().out == "account id  (unknown)\n"


def test_a_claim_begins_no_line_of_its_own(
    here: Container, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forged(*_: object) -> dict[str, object]:
        return {"token": {"sub": "x\naccount id  000000000000"}, "beaten_by": None}

    monkeypatch.setattr("irsa_creds.cli._whoami._facts", forged)
    assert main(["whoami"]) == 0
    assert capsys.readouterr().out == "token sub  x\\naccount id  000000000000\n"


KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
PROFILES = """\
[profile other]
role_arn = arn:aws:iam::123456789012:role/other
source_profile = keys
[profile keys]
aws_access_key_id = a
aws_secret_access_key = b
"""


@pytest.mark.parametrize(
    ("environ", "first"),
    [(KEYS, "AWS_ACCESS_KEY_ID is set"), ({"AWS_PROFILE": "other"}, "The profile 'other'")],
    ids=["keys", "a profile"],
)
def test_another_identity_of_programs_is_noted(
    environ: dict[str, str],
    first: str,
    here: Container,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (here.home / "config").write_text(PROFILES)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(here.home / "config"))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert main(["whoami"]) == 0
    text = capsys.readouterr()
    assert text.err.startswith(f"A program here does not use this role (C01): {first}")
    assert "assumed-role/app-role/" in text.out
    assert "beaten" not in text.out
    assert main(["whoami", "--json"]) == 0
    text = capsys.readouterr()
    assert text.err == ""
    assert json.loads(text.out)["beaten_by"].startswith(first)


def test_it_calls_sts_even_if_the_cache_has_credentials(
    here: Container, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["process"]) == 0
    irsa_creds.reset()
    assert main(["whoami"]) == 0
    assert len(here.given) == 2


def test_a_denial_of_sts_is_explained(here: Container, capsys: pytest.CaptureFixture[str]) -> None:
    here.sandbox.faults.fail("AccessDenied")
    assert main(["whoami", "--json"]) == 1
    text = capsys.readouterr()
    error = json.loads(text.err)
    assert text.out == ""
    assert (error["schema"], error["error"]["type"]) == (1, "ExchangeError")
    assert error["error"]["code"] == "AccessDenied"
    assert here.pod.role_arn in error["error"]["message"]
    assert error["error"]["role_arn"] == here.pod.role_arn
    assert error["error"]["command"].startswith("aws iam get-role --role-name app-role")
    assert "trust policy" in error["error"]["advice"]
    assert error["error"]["iss"] == here.sandbox.issuer.url
    assert error["error"]["sub"] == "system:serviceaccount:default:app"
    assert error["error"]["aud"] == "sts.amazonaws.com"
    assert error["error"]["endpoint"] == here.sandbox.sts_url
    assert error["error"]["request_id"]
    assert here.pod.token_file.read_text() not in text.err


def test_without_irsa_it_names_the_missing_setting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["whoami"]) == 1
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in capsys.readouterr().err


def test_a_token_that_comes_from_a_profiles_file_is_read_there(
    here: Container, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = here.home / "config"
    role, file = here.pod.role_arn, here.pod.token_file
    config.write_text(f"[profile x]\nrole_arn = {role}\nweb_identity_token_file = {file}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_ROLE_ARN")
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE")
    assert main(["whoami", "--profile", "x", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["token"]["iss"] == here.sandbox.issuer.url


@pytest.fixture
def agent(container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pod:
    """This process is a pod with EKS Pod Identity."""
    # The sandbox is the module's, so each test has a role of its own.
    pod = container.sandbox.deploy("agent", role=tmp_path.name, bucket=None, pod_identity=True)
    for name, value in pod.environ.items():
        monkeypatch.setenv(name, value)
    return pod


def test_the_role_of_eks_pod_identity_is_the_one_that_sts_has(
    agent: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["whoami", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["role_arn"] is None
    name = agent.role_arn.rpartition("/")[2]
    assert f":assumed-role/{name}/" in found["assumed_role_arn"]
    assert found["endpoint"] == agent.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]


def test_sts_is_asked_in_the_region_of_the_option(
    agent: Pod, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def caller(_: object, url: str, __: object) -> str:
        asked.append(url)
        return "arn:aws-cn:sts::123456789012:assumed-role/app-role/pod"

    monkeypatch.setattr("irsa_creds.cli._whoami.get_caller_arn", caller)
    monkeypatch.delenv("AWS_ENDPOINT_URL_STS")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert main(["whoami", "--region", "cn-north-1"]) == 0
    assert "arn:aws-cn:" in capsys.readouterr().out
    assert asked == ["https://sts.cn-north-1.amazonaws.com.cn"]


def test_without_sts_the_role_of_eks_pod_identity_is_unknown_and_a_note_says_why(
    agent: Pod, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{port}")
    assert main(["whoami"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("assumed role arn  (unknown)\n")
    assert "The role is unknown, because STS was not reached or denied" in err
    assert "EndpointConnectionError" in err
