"""Role chaining: the credentials that sign a request are secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import irsa_creds
from irsa_creds._exchange.advice import ExchangeRequest
from irsa_creds._exchange.chained_fetcher import SigningCredentials
from irsa_creds._identity.roles import RoleConfig
from secrecy.leak_detector import chain
from secrecy.test_secrets import responses, witness_all
from sts_server import ROLE, SESSION_TOKEN, success

if TYPE_CHECKING:
    from pathlib import Path

    from secrecy.leak_detector import Witness
    from sts_server import StsServer


@pytest.fixture(autouse=True)
def _profiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token_file: Path) -> None:
    (tmp_path / "config").write_text(
        "[profile target]\nrole_arn = arn:aws:iam::123456789012:role/second\nsource_profile = app\n"
        f"[profile app]\nrole_arn = {ROLE}\nweb_identity_token_file = {token_file}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "target")


@pytest.mark.parametrize("what", responses(SESSION_TOKEN))
def test_no_response_to_a_target_role_reveals_a_secret(
    what: str, sts: StsServer, witness: Witness
) -> None:
    sts.script[:] = [success(), responses(SESSION_TOKEN)[what]]

    errors = witness_all(witness)

    assert "AWS4-HMAC-SHA256" in sts.seen[1].headers["authorization"]
    assert errors
    assert witness.find() == []
    kept = [type(each).__module__ for error in errors for each in chain(error)]
    assert not [module for module in kept if not module.startswith("irsa_creds")]


def test_a_success_of_both_roles_reveals_no_secret(sts: StsServer, witness: Witness) -> None:
    assert witness_all(witness) == []
    assert [SESSION_TOKEN in str(each.headers) for each in sts.seen] == [False, True]
    assert witness.find() == []


def test_an_external_id_is_in_no_log_and_no_repr(sts: StsServer, witness: Witness) -> None:
    role = RoleConfig("arn:aws:iam::123456789012:role/x", external_id="canary-external-id")
    provider = irsa_creds.provider(assume=[role])
    signer = SigningCredentials(provider.get())
    sent = ExchangeRequest(
        role.role_arn, sts.url, None, signer, signer="source", external_id=role.external_id
    )
    witness.see(role, provider, provider.get(), provider._identity, signer, sent)
    assert sts.seen[-1].form["ExternalId"] == "canary-external-id"
    assert [text for text in witness.heard if "canary-external-id" in text] == []
    assert witness.find() == []
