"""boto3: the default session, and a session with credentials that code sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import botocore.session

import irsa_creds

if TYPE_CHECKING:
    import pytest

    from integrations.conftest import Workload


def read(client: Any) -> None:
    body = client.get_object(Bucket="data", Key="greeting")["Body"].read()
    assert body == b"hello"


def test_a_client_of_the_default_session_works_across_refreshes(workload: Workload) -> None:
    irsa_creds.install()
    client = boto3.client("s3")
    for _ in workload.turns():
        read(client)


def test_a_resource_of_the_default_session_works_across_refreshes(workload: Workload) -> None:
    irsa_creds.install()
    thing = boto3.resource("s3").Object("data", "greeting")
    for _ in workload.turns():
        assert thing.get()["Body"].read() == b"hello"


def test_clients_created_for_each_request_share_the_keys(workload: Workload) -> None:
    irsa_creds.install()
    for _ in workload.turns():
        read(boto3.client("s3"))


def test_install_affects_a_default_session_that_an_import_created(
    workload: Workload, caplog: pytest.LogCaptureFixture
) -> None:
    boto3.client("s3")  # Some modules do this when they are imported.
    workload.sandbox.reset_calls()
    irsa_creds.install()
    client = boto3.client("s3")
    for _ in workload.turns():
        read(client)
    assert [each.name for each in caplog.records if each.levelname == "WARNING"] == ["irsa_creds"]


def test_credentials_set_on_a_session_work_across_refreshes(
    workload: Workload,
) -> None:
    session = botocore.session.Session()
    session._credentials = irsa_creds.provider().botocore_credentials()
    client = session.create_client("s3")
    for _ in workload.turns():
        read(client)
