"""Which identity each provider of the chain finds, and its place in the chain."""

from __future__ import annotations

import asyncio
import importlib
import logging
import pickle
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest

import irsa_creds
from botocore_sessions import SECOND, write_profiles, write_target_profile
from fresh_interpreter import python
from irsa_creds._smithy import chain_providers
from irsa_creds._smithy.chain_providers import (
    of_container,
    of_profile_role,
    of_profile_token,
    of_web_identity,
    strict,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from irsa_creds._smithy.chain_providers import ChainProvider

FIRST = "arn:aws:iam::123456789012:role/first"
ALL = (strict, of_web_identity, of_profile_role, of_profile_token, of_container)
CONTAINER = "http://169.254.170.23/v1/credentials"


def sdk(name: str) -> Any:
    return importlib.import_module(f"smithy_aws_core.{name}")


def files(services: dict[str, Any] | None = None, **profiles: dict[str, str]) -> Any:
    """Return configuration files as the SDK gives them to the chain."""
    parser = sdk("config.file_parser")
    config = parser.StandardizedOutput(
        profiles={name: parser.Section(keys) for name, keys in profiles.items()},
        services={name: parser.Section(keys) for name, keys in (services or {}).items()},
    )
    return sdk("config.merged_config").MergedConfig(config, parser.StandardizedOutput())


def found(create: Callable[[], ChainProvider], identity_type: Any = None, **state: Any) -> Any:
    """Return the provider behind the resolver that is added to the chain; None if none is."""
    setup = sdk("identity.chain").ChainSetup(**state)
    provider = create()
    setup.set_current_provider(provider)
    asyncio.run(provider.setup(identity_type or sdk("identity").AWSCredentialsIdentity, setup))
    if not setup.resolvers:
        return None
    [added] = setup.resolvers
    return getattr(added, "resolver", added)._provider


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ROLE_ARN", FIRST)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_REGION", "eu-west-1")


# -- the variables that IRSA sets ------------------------------------------------------------------


@pytest.mark.usefixtures("pod")
def test_the_variables_name_the_provider_that_the_program_has_already() -> None:
    assert found(of_web_identity) is irsa_creds.provider()


@pytest.mark.usefixtures("pod")
def test_a_profile_that_code_names_turns_the_variables_off() -> None:
    assert found(of_web_identity, profile_name="other") is None


@pytest.mark.usefixtures("pod")
def test_a_profile_of_the_environment_does_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_target_profile(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_PROFILE", "target")
    assert found(of_web_identity).role_arn == FIRST


@pytest.mark.parametrize("token", [None, ""])
@pytest.mark.usefixtures("pod")
def test_without_a_token_the_chain_continues(
    token: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_target_profile(monkeypatch, tmp_path)
    # Its token has a later place in the chain.
    monkeypatch.setenv("AWS_PROFILE", "app")
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE")
    if token is not None:
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token)
    assert found(of_web_identity) is None


@pytest.mark.usefixtures("pod")
def test_a_token_without_a_role_is_an_error_and_no_reason_for_another_identity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_ROLE_ARN")
    with pytest.raises(irsa_creds.ConfigError, match="no role is named") as caught:
        found(of_web_identity)
    exceptions = importlib.import_module("smithy_core.exceptions")
    assert isinstance(caught.value, exceptions.SmithyIdentityError)
    assert caught.value.__context__ is None


@pytest.mark.usefixtures("pod")
def test_the_region_of_the_client_is_the_last_one_that_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert found(of_web_identity, region_override="us-west-2")._identity.region == "eu-west-1"
    monkeypatch.delenv("AWS_REGION")
    irsa_creds.reset()
    assert found(of_web_identity, region_override="us-west-2")._identity.region == "us-west-2"


@pytest.mark.parametrize("create", ALL)
@pytest.mark.usefixtures("pod")
def test_an_identity_of_another_type_is_not_provided(
    create: Callable[[], ChainProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", CONTAINER)
    assert found(create, identity_type=object) is None


# -- profiles --------------------------------------------------------------------------------------

WEB = {"role_arn": FIRST, "web_identity_token_file": "/token", "region": "eu-west-1"}


def test_a_profile_with_a_web_identity_is_read_from_the_files_of_the_sdk() -> None:
    sts = {"sts": {"endpoint_url": "http://127.0.0.1:1"}}
    config = files(services={"local": sts}, web=WEB | {"services": "local"})
    provider = found(of_profile_role, config_file=config, profile_name="web")
    assert provider.role_arn == FIRST
    assert provider._identity.region == "eu-west-1"
    assert provider._identity.endpoint_url == "http://127.0.0.1:1"


@pytest.mark.usefixtures("pod")
def test_the_variables_do_not_change_what_the_profile_names() -> None:
    config = files(web=WEB | {"role_arn": SECOND})
    assert found(of_profile_role, config_file=config, profile_name="web").role_arn == SECOND


def test_a_profile_whose_source_profile_has_a_web_identity_assumes_its_role() -> None:
    config = files(target={"role_arn": SECOND, "source_profile": "web"}, web=WEB)
    provider = found(of_profile_role, config_file=config, profile_name="target")
    assert (provider.role_arn, provider._identity.source.role_arn) == (SECOND, FIRST)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"web_identity_token_file": "/token", "aws_access_key_id": "AKIA"},
        {"role_arn": FIRST, "credential_source": "EcsContainer"},
        {"role_arn": FIRST, "source_profile": "elsewhere"},
    ],
)
def test_other_profiles_are_left_to_other_providers(keys: dict[str, str]) -> None:
    assert found(of_profile_role, config_file=files(given=keys), profile_name="given") is None


def test_a_profile_with_a_token_and_no_role_is_an_error_in_the_slot_of_web_identities() -> None:
    config = files(given={"web_identity_token_file": "/token"}, keys={"aws_access_key_id": "AKIA"})
    with pytest.raises(irsa_creds.ConfigError, match="no role is named"):
        found(of_profile_token, config_file=config, profile_name="given")
    assert found(of_profile_token, config_file=config, profile_name="keys") is None


def test_a_profile_names_the_provider_that_the_program_has_already(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = "".join(f"{key} = {value}\n" for key, value in WEB.items())
    write_profiles(monkeypatch, tmp_path, f"[profile web]\n{text}")
    monkeypatch.setenv("AWS_PROFILE", "web")
    provider = found(of_profile_role, config_file=files(web=WEB), profile_name="web")
    assert provider is irsa_creds.provider()
    assert provider is irsa_creds.provider(profile="web")


@pytest.mark.usefixtures("pod")
def test_the_provider_of_a_profile_pickles_as_that_profile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = files(web=WEB | {"role_arn": SECOND})
    pickled = pickle.dumps(found(of_profile_role, config_file=config, profile_name="web"))
    write_profiles(
        monkeypatch,
        tmp_path,
        f"[profile web]\nrole_arn = {SECOND}\nweb_identity_token_file = /token\n",
    )
    assert pickle.loads(pickled).role_arn == SECOND


def test_without_files_or_a_profile_the_chain_continues() -> None:
    config = files(web=WEB)
    assert found(of_profile_role) is None
    assert found(of_profile_role, profile_name="web") is None
    assert found(of_profile_role, config_file=config) is None
    assert found(of_profile_role, config_file=config, profile_name="default") is None


# -- EKS Pod Identity and Amazon ECS ---------------------------------------------------------------


def test_the_endpoint_of_a_container_names_the_provider_that_the_program_has_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", CONTAINER)
    assert found(of_container) is irsa_creds.provider()


def test_without_an_endpoint_the_chain_continues() -> None:
    assert found(of_container) is None


# -- IRSA_CREDS_STRICT -----------------------------------------------------------------------------


@pytest.fixture
def is_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRSA_CREDS_STRICT", "1")


@pytest.mark.usefixtures("pod")
def test_without_strict_the_first_provider_adds_nothing() -> None:
    assert found(strict) is None


@pytest.mark.usefixtures("pod", "is_strict")
def test_strict_takes_the_identity_that_sessions_take() -> None:
    assert found(strict) is irsa_creds.provider()
    config = files(web=WEB | {"role_arn": SECOND})
    assert found(strict, config_file=config, profile_name="web").role_arn == SECOND


@pytest.mark.usefixtures("is_strict")
def test_strict_does_not_pass_on() -> None:
    with pytest.raises(irsa_creds.ConfigError, match="IRSA is not configured"):
        found(strict, config_file=files(keys={"aws_access_key_id": "AKIA"}), profile_name="keys")


# -- the place in the chain ------------------------------------------------------------------------


def place(create: Callable[[], ChainProvider]) -> tuple[str, str]:
    ordering = create().ordering
    return type(ordering).__name__, ordering.slot.canonical_name


def test_a_free_slot_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "entry_points", lambda *, group: [])
    assert [place(each) for each in ALL] == [
        ("Before", "Environment"),
        ("Standard", "WebIdentityTokenEnv"),
        ("Before", "ProfileAssumeRole"),
        ("Standard", "ProfileWebIdentity"),
        ("Standard", "EcsContainer"),
    ]


@dataclass
class EntryPoint:
    """An entry point of another package, with a provider in a slot."""

    slot: str
    kind: str
    module: str = "another_package"

    def load(self) -> Callable[[], Any]:
        chain = sdk("identity.chain")
        ordering = getattr(chain, self.kind)(slot=chain.StandardProvider[self.slot])
        return lambda: chain_providers.ChainProvider("another", ordering)


def test_the_provider_comes_before_one_of_another_package_in_the_same_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = [
        EntryPoint("WEB_IDENTITY_TOKEN_ENV", "Standard"),
        EntryPoint("ECS_CONTAINER", "Before"),
    ]
    monkeypatch.setattr(metadata, "entry_points", lambda *, group: others)
    assert place(of_web_identity) == ("Before", "WebIdentityTokenEnv")
    assert place(of_container) == ("Standard", "EcsContainer")


@pytest.mark.parametrize("create", ALL)
@pytest.mark.usefixtures("pod")
def test_irsa_creds_disable_claims_no_slot_and_provides_nothing(
    create: Callable[[], ChainProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_DISABLE", "1")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", CONTAINER)
    assert place(create)[0] == "Before"
    assert found(create, config_file=files(web=WEB)) is None


def test_irsa_creds_container_leaves_the_slot_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRSA_CREDS_CONTAINER", "0")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", CONTAINER)
    assert place(of_container) == ("Before", "EcsContainer")
    assert found(of_container) is None


def test_each_provider_has_a_name_of_its_own() -> None:
    assert len({create().name for create in ALL}) == len(ALL)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("identity.chain", "ChainSetup"),
        ("identity.chain", "Standard"),
        ("identity", "AWSCredentialsIdentity"),
    ],
)
@pytest.mark.usefixtures("pod")
def test_with_another_interface_there_is_one_warning_and_no_error(
    module: str, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    identity = sdk("identity").AWSCredentialsIdentity
    setup = sdk("identity.chain").ChainSetup()
    monkeypatch.setattr(sdk(module), name, object)
    monkeypatch.setattr(metadata, "version", lambda _: "0.99.0")
    with caplog.at_level(logging.WARNING, logger="irsa_creds"):
        providers = [create() for create in ALL]
    assert len(caplog.messages) == 1
    assert "smithy-aws-core 0.99.0" in caplog.text
    assert len({each.name for each in providers}) == len(ALL)
    assert all(type(each.ordering).__name__ == "Before" for each in providers)
    for each in providers:
        asyncio.run(each.setup(identity, setup))
    assert not setup.resolvers


@pytest.mark.usefixtures("pod")
def test_with_another_interface_strict_is_an_error_and_lets_no_other_provider_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sdk("identity.chain"), "ChainSetup", object)
    monkeypatch.setattr(metadata, "version", lambda _: "0.99.0")
    monkeypatch.setenv("IRSA_CREDS_STRICT", "1")
    with pytest.raises(irsa_creds.ConfigError, match=r"Install smithy-aws-core 0\.12, or unset"):
        strict()
    monkeypatch.setenv("IRSA_CREDS_DISABLE", "1")
    assert strict()


def test_a_new_process_imports_nothing_of_it() -> None:
    code = "import sys, irsa_creds; irsa_creds.install(); irsa_creds.provider; print(*sys.modules)"
    names = python(code).split()
    assert "irsa_creds._sessions.install" in names
    assert not [each for each in names if "smithy" in each]


def test_the_entry_points_are_these() -> None:
    group = metadata.entry_points(group="smithy_aws_core.identity.chain_providers")
    ours = [each for each in group if each.module == chain_providers.__name__]
    assert {each.load() for each in ours} == set(ALL)
    assert sys.modules[ours[0].module] is chain_providers
