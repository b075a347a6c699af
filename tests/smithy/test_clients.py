"""Clients of the AWS SDK for Python v4, which find irsa-creds by its entry points."""

from __future__ import annotations

import ast
import asyncio
import copy
import importlib.util
import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from aiobotocore.session import get_session
from aws_sdk_dynamodb.client import AsyncDynamoDBClient
from aws_sdk_dynamodb.config import AsyncDynamoDBConfig
from aws_sdk_dynamodb.models import (
    AttributeDefinition,
    AttributeValueS,
    CreateTableInput,
    GetItemInput,
    KeySchemaElement,
    ListTablesInput,
    PutItemInput,
)
from smithy_aws_core.identity import AWSCredentialsIdentity, IdentityChain, IdentityChainError
from smithy_core.exceptions import CallError, SmithyError, SmithyIdentityError

import irsa_creds
from docs.markdown import block
from engine_fakes import eventually, join_refreshes
from fresh_interpreter import python
from irsa_creds import smithy

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from pathlib import Path

    from irsa_creds import Provider
    from irsa_creds.testing import Irsa
    from smithy.conftest import Database

pytestmark = pytest.mark.real

EPOCH = datetime.fromtimestamp(0, UTC)


@pytest.fixture(autouse=True)
def _refreshes_end(irsa: Irsa, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("irsa_creds._engine.timing.BLOCKING_ATTEMPTS", 1)
    yield
    irsa.faults.clear()
    join_refreshes()


def run(*requests: Coroutine[Any, Any, Any]) -> list[Any]:
    async def together() -> list[Any]:
        return await asyncio.gather(*requests)

    return asyncio.run(together())


async def list_tables(*, times: int = 1, **config: Any) -> AsyncDynamoDBConfig:
    """Send requests at the same time with a new client; return its configuration."""
    resolved = await AsyncDynamoDBConfig.resolve(**config)
    async with AsyncDynamoDBClient(resolved) as client:
        await asyncio.gather(*(client.list_tables(ListTablesInput()) for _ in range(times)))
        return client._config


def provider_name(config: AsyncDynamoDBConfig) -> str:
    """Return the provider of the only resolver in a client's chain."""
    [resolver] = config.aws_credentials_identity_resolver._resolvers
    return str(resolver.provider_name)


def roles(irsa: Irsa) -> list[str | None]:
    return [call.role_arn for call in irsa.sandbox.sts_calls]


# -- installed next to a client --------------------------------------------------------------------


def test_a_client_without_any_configuration_uses_the_role(
    irsa: Irsa, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    table, key = "greetings", AttributeValueS("hello")

    async def program() -> Any:
        async with AsyncDynamoDBClient() as client:
            await client.create_table(
                CreateTableInput(
                    table_name=table,
                    attribute_definitions=[
                        AttributeDefinition(attribute_name="id", attribute_type="S")
                    ],
                    key_schema=[KeySchemaElement(attribute_name="id", key_type="HASH")],
                    billing_mode="PAY_PER_REQUEST",
                )
            )
            item = {"id": key, "to": AttributeValueS("world")}
            await client.put_item(PutItemInput(table_name=table, item=item))
            return (await client.get_item(GetItemInput(table_name=table, key={"id": key}))).item

    with caplog.at_level(logging.WARNING):
        item = asyncio.run(program())
    assert item["to"].value == "world"
    [call] = irsa.sandbox.sts_calls
    assert set(database.keys) == {call.access_key_id}
    # Without irsa-creds: "WebIdentityTokenEnv credential source was detected but no provider ...".
    assert not caplog.messages


def test_the_programs_of_the_page_on_native_clients(
    irsa: Irsa, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(block("howto/native-clients.md", "list_tables.py"), {})
    assert "ListTablesOutput" in capsys.readouterr().out
    program = block("howto/native-clients.md", "tenant_config.py")
    names: dict[str, Any] = {}
    code = compile(program, "tenant_config.py", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def list_the_tenants() -> None:
        await eval(code, names)
        async with AsyncDynamoDBClient(names["config"]) as client:
            await client.list_tables(ListTablesInput())

    run(list_the_tenants())
    calls = irsa.sandbox.sts_calls
    assert database.keys == [call.access_key_id for call in calls]
    assert calls[1].session_name == "tenant"


def test_an_import_of_the_sdk_imports_nothing_of_irsa_creds() -> None:
    code = "import aws_sdk_dynamodb.client, sys; print(*sys.modules)"
    assert not [name for name in python(code).split() if name.startswith("irsa_creds")]


def test_two_hundred_tasks_with_ten_clients_make_one_call(irsa: Irsa, database: Database) -> None:
    run(*(list_tables(times=20) for _ in range(10)))
    assert len(database.keys) == 200
    assert [call.outcome for call in irsa.sandbox.sts_calls] == ["OK"]


def test_boto3_and_aiobotocore_and_this_sdk_make_one_call(irsa: Irsa, database: Database) -> None:
    irsa_creds.install()
    boto3.Session().client("dynamodb").list_tables()

    async def aiobotocore() -> None:
        async with get_session().create_client("dynamodb") as client:
            await client.list_tables()

    run(aiobotocore(), list_tables())
    assert len(database.keys) == 3
    assert len(irsa.sandbox.sts_calls) == 1


@pytest.mark.irsa(namespace="shop", service_account="reports", pod_identity=True)
def test_eks_pod_identity_works_too(irsa: Irsa, database: Database) -> None:
    run(list_tables(times=5), list_tables(times=5))
    [call] = irsa.sandbox.sts_calls
    assert set(database.keys) == {call.access_key_id}


# -- rotation, outage, errors ----------------------------------------------------------------------


def refresh_is_due(provider: Provider) -> None:
    """Do what other code does to force a refresh; valid credentials are still used."""
    provider.botocore_credentials()._expiry_time = EPOCH


def test_a_refresh_reads_the_new_token_and_no_request_fails(irsa: Irsa, database: Database) -> None:
    def requests() -> bool:
        run(list_tables(times=3))
        return len(set(database.keys)) == 2

    requests()
    irsa.pod.rotate_token()
    refresh_is_due(irsa_creds.provider())
    eventually(requests)
    calls = irsa.sandbox.sts_calls
    assert len({call.token_sha256 for call in calls}) == len(calls) == 2
    assert [call.access_key_id for call in calls] == list(dict.fromkeys(database.keys))


@pytest.mark.parametrize("outage", ["refuse", "500"])
def test_while_credentials_are_valid_an_outage_reaches_no_request(
    outage: Any, irsa: Irsa, database: Database
) -> None:
    run(list_tables())
    irsa.faults.outage = outage
    provider = irsa_creds.provider()
    refresh_is_due(provider)
    run(list_tables(times=10))
    join_refreshes()
    assert provider.status().last_failure is not None
    run(list_tables(times=10))
    assert len(database.keys) == 21
    assert len(set(database.keys)) == 1


def succeeds() -> bool:
    try:
        run(list_tables())
    except IdentityChainError:
        return False
    return True


def test_without_credentials_the_error_names_the_cause_and_ends_with_it(
    irsa: Irsa, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    irsa.faults.fail("AccessDenied")
    with pytest.raises(IdentityChainError, match="AccessDenied") as caught:
        run(list_tables())
    [failure] = caught.value.failures
    assert failure.provider_name == "IrsaCredsWebIdentityTokenEnv"
    assert isinstance(failure.error, irsa_creds.ExchangeError)
    assert not database.keys
    irsa.faults.clear()
    eventually(succeeds)


def test_a_missing_role_is_no_reason_for_another_identity(
    irsa: Irsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ROLE_ARN")
    with pytest.raises(irsa_creds.ConfigError, match="no role is named") as caught:
        asyncio.run(IdentityChain.create(AWSCredentialsIdentity))
    assert isinstance(caught.value, SmithyIdentityError)


def test_a_key_that_the_service_rejects_is_replaced_after_invalidate(
    irsa: Irsa, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irsa_creds._engine.timing.DEMAND_INTERVAL", 0.0)

    async def program() -> None:
        async with AsyncDynamoDBClient() as client:
            await client.list_tables(ListTablesInput())
            irsa.sandbox.expire_credentials()
            with pytest.raises(CallError):
                await client.list_tables(ListTablesInput())
            await client._config.aws_credentials_identity_resolver.invalidate()
            eventually(lambda: len(irsa.sandbox.sts_calls) == 2)
            join_refreshes()
            await client.list_tables(ListTablesInput())

    asyncio.run(program())
    [first, second] = [call.access_key_id for call in irsa.sandbox.sts_calls]
    assert database.rejected == [first]
    assert database.keys == [first, second]


# -- precedence ------------------------------------------------------------------------------------

OTHER = "arn:aws:iam::123456789012:role/other"


@pytest.fixture
def profiles(irsa: Irsa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a profile with another role of the same pod, and one with keys."""
    iam = irsa.client("iam")
    trust = iam.get_role(RoleName="app-role")["Role"]["AssumeRolePolicyDocument"]
    iam.create_role(RoleName="other", AssumeRolePolicyDocument=json.dumps(trust))
    (tmp_path / "config").write_text(
        f"[profile web]\nrole_arn = {OTHER}\n"
        f"web_identity_token_file = {irsa.environ['AWS_WEB_IDENTITY_TOKEN_FILE']}\n"
        "[profile keys]\naws_access_key_id = AKIAKEYS\naws_secret_access_key = secret\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    irsa.sandbox.reset_calls()


@pytest.mark.usefixtures("profiles", "database")
def test_a_profile_that_code_names_comes_before_the_variables(irsa: Irsa) -> None:
    run(list_tables(profile="web"))
    assert roles(irsa) == [OTHER]


@pytest.mark.usefixtures("profiles", "database")
def test_the_variables_come_before_a_profile_of_the_environment(
    irsa: Irsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "web")
    run(list_tables())
    assert roles(irsa) == [irsa.environ["AWS_ROLE_ARN"]]


@pytest.mark.usefixtures("profiles", "database")
def test_without_the_variables_the_profile_of_the_environment_is_used(
    irsa: Irsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "web")
    for name in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name)
    run(list_tables())
    assert roles(irsa) == [OTHER]


@pytest.mark.usefixtures("profiles")
def test_keys_of_the_named_profile_and_of_the_environment_are_used(
    irsa: Irsa, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CallError):
        run(list_tables(profile="keys"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENVIRON")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with pytest.raises(CallError):
        run(list_tables())
    assert database.rejected == ["AKIAKEYS", "AKIAENVIRON"]
    assert not roles(irsa)


@pytest.mark.usefixtures("profiles", "database")
def test_strict_comes_before_keys_of_the_environment(
    irsa: Irsa, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENVIRON")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("IRSA_CREDS_STRICT", "1")
    with caplog.at_level(logging.WARNING):
        run(list_tables())
    assert roles(irsa) == [irsa.environ["AWS_ROLE_ARN"]]
    assert not caplog.messages


# -- beside other packages with providers ----------------------------------------------------------


@pytest.mark.usefixtures("profiles", "database")
def test_aws_credentials_sts_would_fail_for_a_profile_with_a_web_identity(
    irsa: Irsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert importlib.util.find_spec("aws_credentials_sts")
    run(list_tables(profile="web"))
    assert roles(irsa) == [OTHER]
    monkeypatch.setenv("IRSA_CREDS_DISABLE", "1")
    with pytest.raises(SmithyError, match="must define either 'source_profile'"):
        run(list_tables(profile="web"))


@pytest.mark.irsa(pod_identity=True)
@pytest.mark.parametrize("variable", ["IRSA_CREDS_DISABLE=1", "IRSA_CREDS_CONTAINER=0"])
def test_the_variables_leave_the_endpoint_of_a_container_to_aws_credentials_http(
    variable: str, irsa: Irsa, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run(list_tables())[0]
    monkeypatch.setenv(*variable.split("="))
    after = run(list_tables())[0]
    assert [provider_name(each) for each in (before, after)] == [
        "IrsaCredsEcsContainer",
        "EcsContainer",
    ]
    assert [call.access_key_id for call in irsa.sandbox.sts_calls] == database.keys


# -- a resolver by hand ----------------------------------------------------------------------------


def test_a_client_with_a_resolver_uses_its_provider(irsa: Irsa, database: Database) -> None:
    provider = irsa_creds.provider(session_name="tenant")
    resolver = smithy.resolver(provider)
    config = run(list_tables(aws_credentials_identity_resolver=resolver))[0]
    assert config.aws_credentials_identity_resolver is resolver
    assert database.keys == [provider.get().access_key_id]


def test_its_errors_are_raised_as_they_are(irsa: Irsa) -> None:
    irsa.faults.fail("AccessDenied")
    resolver = smithy.resolver(irsa_creds.provider())
    with pytest.raises(irsa_creds.ExchangeError) as caught:
        run(list_tables(aws_credentials_identity_resolver=resolver))
    assert isinstance(caught.value, SmithyIdentityError)


def test_a_copy_of_a_clients_configuration_has_the_same_resolver(database: Database) -> None:
    config = run(list_tables())[0]
    [ours] = config.aws_credentials_identity_resolver._resolvers
    [copied] = copy.deepcopy(config).aws_credentials_identity_resolver._resolvers
    assert copied.resolver is ours.resolver
