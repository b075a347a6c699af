"""Sessions and clients with the credentials of a given provider: `provider=`."""

from __future__ import annotations

import copy
import os
import pickle
from io import BytesIO
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.context import start_as_current_context
from botocore.credentials import CredentialProvider, Credentials
from botocore.exceptions import ClientError, UnknownCredentialError
from botocore.session import Session
from urllib3 import HTTPResponse

import irsa_creds
from botocore_sessions import give_node_role, key_of, warnings
from differential import client_features
from engine_fakes import FakeClock, FakeSts, eventually, join_refreshes

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds import Provider
    from irsa_creds.testing import Sandbox

ARN = "arn:aws:sts::123456789012:assumed-role/app-role/red"


def by_boto3_session(provider: Provider) -> Any:
    return irsa_creds.boto3_session(provider=provider)


def by_install(provider: Provider) -> Any:
    session = boto3.Session()
    irsa_creds.install(session, provider=provider)
    return session


def by_install_in_a_session_of_botocore(provider: Provider) -> Any:
    session = Session()
    irsa_creds.install(session, provider=provider)
    return boto3.Session(botocore_session=session)


def by_install_after_another_look(provider: Provider) -> Any:
    session = boto3.Session()
    give_node_role(session)
    irsa_creds.install(session, provider=provider)
    return session


def by_install_after_the_credentials_were_set(provider: Provider) -> Any:
    session = boto3.Session()
    session._session._credentials = provider.botocore_credentials()
    irsa_creds.install(session, provider=provider)
    return session


def before_strict_install(provider: Provider) -> Any:
    session = irsa_creds.boto3_session(provider=provider)
    session.get_credentials()
    irsa_creds.install(strict=True)
    irsa_creds.install(session, strict=True)
    return session


def after_strict_install(provider: Provider) -> Any:
    irsa_creds.install(strict=True)
    session = boto3.Session()
    session._session.get_component("credential_provider")
    irsa_creds.install(session, provider=provider)
    return session


def before_uninstall(provider: Provider) -> Any:
    irsa_creds.install()
    session = boto3.Session()
    session.get_credentials()
    irsa_creds.install(session, provider=provider)
    session.get_credentials()
    irsa_creds.uninstall()
    return session


def unpickled(provider: Provider) -> Any:
    return pickle.loads(pickle.dumps(by_boto3_session(provider)))


WAYS = [
    by_boto3_session,
    by_install,
    by_install_in_a_session_of_botocore,
    by_install_after_another_look,
    by_install_after_the_credentials_were_set,
    before_strict_install,
    after_strict_install,
    before_uninstall,
    unpickled,
]


@pytest.mark.parametrize("way", WAYS)
def test_a_tenants_client_works_after_expired_token_and_reaches_only_its_own_data(
    way: Callable[[Provider], Any], tenant: Provider, sandbox: Sandbox
) -> None:
    s3 = way(tenant).client("s3")
    s3.put_object(Bucket="data", Key="red/order", Body=b"apples")
    sandbox.expire_credentials()
    with pytest.raises(ClientError, match="ExpiredToken"):
        s3.get_object(Bucket="data", Key="red/order")
    # The timer starts the refresh; the call does not wait for it.
    eventually(lambda: len(sandbox.sts_calls) == 2, seconds=10)
    join_refreshes()

    for _ in range(4):
        assert s3.get_object(Bucket="data", Key="red/order")["Body"].read() == b"apples"
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket="data", Key="blue/order")
    # S3 does not know who signed with expired credentials.
    assert {each.arn for each in sandbox.s3_identities} == {ARN, None}
    assert len(sandbox.sts_calls) == 2


def test_role_chaining_gives_clients_the_target_role(tenant: Provider, sandbox: Sandbox) -> None:
    source = irsa_creds.provider().role_arn
    trust = {"Effect": "Allow", "Principal": {"AWS": source}, "Action": "sts:AssumeRole"}
    target = sandbox.deploy(
        service_account="target",
        role="target",
        trust_policy={"Version": "2012-10-17", "Statement": trust},
    ).role_arn
    provider = irsa_creds.provider(assume=[target])
    session = irsa_creds.boto3_session(provider=provider)
    arn = session.client("sts").get_caller_identity()["Arn"]
    assert arn.startswith("arn:aws:sts::123456789012:assumed-role/target/")


def read_token() -> str:
    return Path(os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"]).read_text()


def test_a_session_with_a_token_callable_unpickles_with_the_same_one(tenant: Provider) -> None:
    provider = irsa_creds.provider(token=read_token, session_name="called")
    again = unpickled(provider)
    assert again.get_credentials().provider is provider
    assert again.client("sts").get_caller_identity()["Arn"].endswith("/called")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_a_copy_of_a_session_has_the_provider_that_install_gave_it(
    copied: Callable[[Any], Any], tenant: Provider
) -> None:
    session = by_boto3_session(irsa_creds.provider())
    irsa_creds.install(session, provider=tenant)
    assert copied(session).get_credentials().provider is tenant
    session = irsa_creds.boto3_session()
    irsa_creds.install(session, provider=tenant)
    assert copied(session).get_credentials().provider is tenant


def test_a_session_pickles_as_its_provider_does(tenant: Provider) -> None:
    session = by_boto3_session(tenant)
    frozen = session.get_credentials().get_frozen_credentials()
    data = pickle.dumps(session)
    for secret in (frozen.access_key, frozen.secret_key, frozen.token):
        assert secret.encode() not in data
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        pickle.dumps(by_boto3_session(irsa_creds.provider(token=lambda: "a-token")))


def test_a_session_with_another_provider_changes_its_new_clients_only(
    tenant: Provider, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    session = by_boto3_session(tenant)
    before = session.client("sts")
    caplog.clear()
    irsa_creds.install(session, provider=tenant)
    session.get_credentials()
    assert warnings(caplog) == []
    irsa_creds.install(session, provider=irsa_creds.provider(session_name="blue"))
    after = session.client("sts")
    assert [each.get_caller_identity()["Arn"].rpartition("/")[2] for each in (before, after)] == [
        "red",
        "blue",
    ]
    [warning] = warnings(caplog)
    assert "existing clients keep the old ones" in warning


def test_irsa_creds_disable_gives_a_tenants_client_no_other_identity(
    tenant: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_DISABLE", "1")
    assert by_boto3_session(tenant).get_credentials().provider is tenant


@pytest.mark.usefixtures("pod_without_timer")
def test_presigned_urls_of_a_given_provider_outlast_their_seconds(
    clock: FakeClock, sts: FakeSts
) -> None:
    irsa_creds.uninstall()
    s3 = by_boto3_session(irsa_creds.provider()).client("s3")
    keys = []
    for _ in range(2):
        url = s3.generate_presigned_url("get_object", {"Bucket": "data", "Key": "x"}, 900)
        keys.append(key_of(url))
        clock.advance(58 * 60)
    assert keys == ["ASIA0000000000000001", "ASIA0000000000000002"]


def test_keys_that_code_sets_later_have_no_effect(tenant: Provider) -> None:
    session = boto3.Session()
    irsa_creds.install(session, provider=tenant)
    session._session.set_credentials("AKID", "secret")
    assert session.client("sts").get_caller_identity()["Arn"] == ARN


def test_the_chain_has_no_providers_by_name(tenant: Provider) -> None:
    chain = by_boto3_session(tenant)._session.get_component("credential_provider")
    with pytest.raises(UnknownCredentialError):
        chain.get_provider("assume-role")


@pytest.mark.parametrize(
    ("config", "scheme"), [(None, b"Bearer"), (Config(signature_version="v4"), b"AWS4-HMAC-SHA256")]
)
def test_bedrock_gets_a_signature_beside_a_bearer_token_if_the_clients_config_asks_for_it(
    config: Config | None, scheme: bytes, tenant: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "of-the-pod")
    sent = []

    def respond(request: Any, **_: Any) -> AWSResponse:
        sent.append(request.headers["Authorization"].split()[0])
        return AWSResponse(request.url, 200, {}, HTTPResponse(BytesIO(b"{}")))

    session = by_boto3_session(tenant)
    # Newer versions of botocore send no bearer token without TLS.
    url = "https://bedrock.eu-west-1.amazonaws.com"
    client: Any = session.client("bedrock", "eu-west-1", config=config, endpoint_url=url)
    client.meta.events.register("before-send", respond)
    client.list_foundation_models()
    assert sent == [scheme]


class StopsWhileItLooks(CredentialProvider):  # type: ignore[misc]
    """A provider of a session's chain that is looking for credentials until it may go on."""

    METHOD = "slow"

    def __init__(self) -> None:
        super().__init__()
        self.started, self.may_go_on = Event(), Event()

    def load(self) -> Credentials:
        self.started.set()
        assert self.may_go_on.wait(10)
        return Credentials("AKIDPOD", "secret")


def test_a_look_for_credentials_that_ends_after_install_gives_later_clients_no_other_identity(
    tenant: Provider,
) -> None:
    session = Session()
    slow = StopsWhileItLooks()
    session.get_component("credential_provider").insert_before("env", slow)
    thread = Thread(target=session.get_credentials)
    thread.start()
    assert slow.started.wait(10)
    irsa_creds.install(session, provider=tenant)
    slow.may_go_on.set()
    thread.join(10)
    assert session.get_credentials().provider is tenant
    assert session.create_client("sts").get_caller_identity()["Arn"] == ARN


def test_the_user_agent_of_a_client_names_the_features_of_its_provider(tenant: Provider) -> None:
    session = by_boto3_session(tenant)._session
    with start_as_current_context():
        session.create_client("s3")
        assert client_features(session) == {"h", "k"}


def test_static_keys_beside_a_provider_are_an_error(tenant: Provider) -> None:
    keys: dict[str, Any] = {"aws_access_key_id": "AKID", "aws_secret_access_key": "secret"}
    with pytest.raises(ValueError, match="static keys"):
        irsa_creds.boto3_session(provider=tenant, **keys)
    session = boto3.Session(**keys)
    with pytest.raises(ValueError, match="static keys"):
        irsa_creds.install(session, provider=tenant)
    assert session.get_credentials().access_key == "AKID"


def test_anything_but_a_provider_with_a_session_is_an_error(tenant: Provider) -> None:
    wrong: Any = tenant.botocore_credentials()
    with pytest.raises(TypeError, match=r"irsa_creds\.Provider"):
        irsa_creds.boto3_session(provider=wrong)
    with pytest.raises(TypeError, match="needs a session"):
        irsa_creds.install(provider=tenant)
