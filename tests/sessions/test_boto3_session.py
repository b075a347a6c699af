"""A boto3 session that pickles as its arguments, without secrets."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from operator import attrgetter
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import InvalidConfigError

import irsa_creds
from fake_network import KEYS, WEB_IDENTITY, FakeNetwork, set_irsa_environ
from irsa_creds.botocore import IrsaCredentials

if TYPE_CHECKING:
    from pathlib import Path

UNPICKLE = """
import pickle, sys
session = pickle.load(sys.stdin.buffer)
credentials = session.get_credentials()
print(type(credentials).__name__, session.region_name, credentials.provider.role_arn)
"""


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeNetwork:
    set_irsa_environ(monkeypatch, tmp_path)
    return FakeNetwork.install(monkeypatch)


def test_a_boto3_session_signs_with_credentials_of_irsa_creds(network: FakeNetwork) -> None:
    session = irsa_creds.boto3_session(region_name="us-east-2")
    assert isinstance(session, boto3.Session)
    assert session.region_name == "us-east-2"
    assert isinstance(session.get_credentials(), IrsaCredentials)
    session.client("s3").list_buckets()
    assert network.sent[-1].signed_with == KEYS[WEB_IDENTITY]


def test_other_sessions_keep_botocores_credentials(network: FakeNetwork) -> None:
    irsa_creds.boto3_session()
    assert not isinstance(boto3.Session().get_credentials(), IrsaCredentials)


def test_a_session_pickles_as_its_arguments_without_secrets(network: FakeNetwork) -> None:
    session = irsa_creds.boto3_session(region_name="us-east-2", strict=True)
    frozen = session.get_credentials().get_frozen_credentials()

    data = pickle.dumps(session)

    for secret in (frozen.access_key, frozen.secret_key, frozen.token, "an-opaque-token"):
        assert secret.encode() not in data
    again = pickle.loads(data)
    assert again.region_name == "us-east-2"
    assert again._arguments == session._arguments


def test_an_unpickled_session_is_strict_as_well(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pickle.dumps(irsa_creds.boto3_session(strict=True))
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE")
    with pytest.raises(InvalidConfigError, match="IRSA is not configured"):
        pickle.loads(data).get_credentials()


def test_a_session_unpickles_in_another_interpreter(network: FakeNetwork) -> None:
    data = pickle.dumps(irsa_creds.boto3_session(region_name="us-east-2"))
    done = subprocess.run(
        [sys.executable, "-c", UNPICKLE], input=data, capture_output=True, timeout=60, check=True
    )
    expected = "IrsaCredentials us-east-2 arn:aws:iam::123456789012:role/app"
    assert done.stdout.decode().strip() == expected


def test_a_session_unpickles_in_a_spawned_process(network: FakeNetwork) -> None:
    session = irsa_creds.boto3_session(region_name="us-east-2")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(attrgetter("region_name"), session).result(60) == "us-east-2"


def test_a_session_with_static_keys_cannot_be_pickled(network: FakeNetwork) -> None:
    session = irsa_creds.boto3_session(aws_access_key_id="AKID", aws_secret_access_key="secret")
    assert session.get_credentials().access_key == "AKID"
    with pytest.raises(TypeError, match="pickle must not contain secrets"):
        pickle.dumps(session)


def test_static_keys_of_none_do_not_prevent_pickling(network: FakeNetwork) -> None:
    session = irsa_creds.boto3_session(aws_access_key_id=None, aws_secret_access_key=None)
    assert isinstance(pickle.loads(pickle.dumps(session)).get_credentials(), IrsaCredentials)
