"""The authorization token and the id in the URL of an endpoint show up nowhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from secrecy.leak_detector import OPAQUE, TOKEN
from secrecy.test_secrets import cut, responses, witness_all
from sts_server import SECRET_KEY, SESSION_TOKEN, http, send

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from secrecy.leak_detector import Witness
    from sts_server import Call, StsServer

KEYS = {"AccessKeyId": "ASIAAGENT", "SecretAccessKey": SECRET_KEY, "Token": SESSION_TOKEN}


def answers(token: str) -> dict[str, Callable[[Call], None]]:
    """Return what an endpoint may do with the token that it was sent."""
    echo = f"I was sent {token}."
    return {
        "text that echoes the token": send(http(echo, "400 Bad Request")),
        "pieces of the token": send(http(cut(token, 12, " | "), "403 Forbidden")),
        "an error of EKS Auth": send(http(f"[1]: ({token[:20]}): {echo}", "400 Bad Request")),
        "an error of Amazon ECS": send(
            http(json.dumps({"code": token[-20:], "message": echo}), "400 Bad Request")
        ),
        "a failure": send(http(echo, "500 Internal Server Error")),
        "credentials without an end": send(http(json.dumps(KEYS))),
        "an expiration that is the secret": send(
            http(json.dumps({**KEYS, "Expiration": SECRET_KEY}))
        ),
        "truncated": send(http(json.dumps(KEYS)[:-20])),
        **{
            name: act
            for name, act in responses(token).items()
            if name.startswith(("redirect", "reset", "hung", "garbage", "not HTTP", "a header"))
        },
    }


@pytest.fixture(autouse=True)
def _pod_identity(
    _pod: None, token_file: Path, sts: StsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ROLE_ARN")
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{sts.url}/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token_file))


@pytest.mark.parametrize("what", answers(TOKEN))
@pytest.mark.parametrize("token", [TOKEN, OPAQUE], ids=["JWT", "opaque"])
def test_no_response_of_an_endpoint_reveals_a_secret(
    token: str,
    what: str,
    sts: StsServer,
    token_file: Path,
    witness: Witness,
) -> None:
    token_file.write_text(token)
    sts.script[:] = [answers(token)[what]]
    witness_all(witness)
    assert sts.seen, "nothing was sent: this shows nothing"
    assert witness.find() == []


def test_neither_a_token_of_the_environment_nor_an_id_in_the_url_is_shown(
    sts: StsServer, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{sts.url}/v2/credentials/{SECRET_KEY.replace('/', '-')}?key={OPAQUE}"
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
    monkeypatch.delenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", TOKEN)
    sts.script[:] = [send(http(f"{TOKEN} for {url}", "404 Not Found"))]
    (error, *_) = witness_all(witness)
    assert sts.seen[0].headers["authorization"] == TOKEN
    assert "/v2/credentials/***" in str(error)
    assert SECRET_KEY.replace("/", "-") not in " ".join(witness.heard)
    assert witness.find() == []
