"""provider(assume=[...]) and profiles with `source_profile`, over real HTTP and real forks."""

from __future__ import annotations

import gc
import os
import pickle
import threading
import weakref
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.session import Session

import irsa_creds
from engine_fakes import eventually, join_refreshes
from irsa_creds import ConfigError, ExchangeError, RoleConfig
from irsa_creds._registry import engine_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from irsa_creds.testing import Pod, Sandbox

SECOND = "arn:aws:iam::123456789012:role/second"
THIRD = "arn:aws:iam::123456789012:role/third"


def trust(role_arn: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": role_arn}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": statement}


@pytest.fixture
def pod(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Pod:
    """Make this process a pod with a role that may assume a second one, and that one a third."""
    made = sandbox.deploy()
    before = made.role_arn
    for role in ("second", "third"):
        further = sandbox.deploy(service_account=role, role=role, trust_policy=trust(before))
        before = further.role_arn
    for name, value in made.environ.items():
        monkeypatch.setenv(name, value)
    sandbox.reset_calls()
    return made


def actions(sandbox: Sandbox) -> list[str]:
    return [each.action.removeprefix("AssumeRole") or "second" for each in sandbox.sts_calls]


@pytest.fixture
def profiles(pod: Pod, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(
        f"[profile third]\nrole_arn = {THIRD}\nsource_profile = second\nregion = us-east-1\n"
        f"[profile second]\nrole_arn = {SECOND}\nsource_profile = app\n"
        f"role_session_name = by-profile\nregion = us-east-1\n"
        f"[profile app]\nrole_arn = {pod.role_arn}\nweb_identity_token_file = {pod.token_file}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    return path


# -- the provider ----------------------------------------------------------------------------------


def test_a_chained_provider_returns_the_credentials_of_the_last_role(
    sandbox: Sandbox, pod: Pod
) -> None:
    provider = irsa_creds.provider(assume=[SECOND, RoleConfig(THIRD, session_name="tenant-7")])
    found = provider.get()
    assert found.assumed_role_arn == "arn:aws:sts::123456789012:assumed-role/third/tenant-7"
    assert provider.role_arn == THIRD
    assert repr(provider) == f"<Provider of {THIRD}>"
    assert actions(sandbox) == ["WithWebIdentity", "second", "second"]
    s3 = boto3.client("s3", **as_keys(found))
    s3.put_object(Bucket="data", Key="x", Body=b"")
    assert sandbox.s3_identities[-1].arn == found.assumed_role_arn


def as_keys(found: irsa_creds.Credentials) -> dict[str, str]:
    return {
        "aws_access_key_id": found.access_key_id,
        "aws_secret_access_key": found.secret_access_key,
        "aws_session_token": found.session_token,
    }


def test_equal_chains_share_one_provider_and_all_chains_share_source_roles(
    sandbox: Sandbox, pod: Pod
) -> None:
    chain = irsa_creds.provider(assume=[SECOND])
    assert irsa_creds.provider(assume=(RoleConfig(SECOND),)) is chain
    other = irsa_creds.provider(assume=[RoleConfig(SECOND, session_name="other")])
    longer = irsa_creds.provider(assume=[SECOND, THIRD])
    assert len({chain, other, longer, irsa_creds.provider()}) == 4
    for each in (longer, other, chain, irsa_creds.provider()):
        each.get()
    assert actions(sandbox).count("WithWebIdentity") == 1
    assert len(sandbox.sts_calls) == 4


def test_a_target_roles_provider_keeps_its_source_roles_alive(pod: Pod) -> None:
    chain = irsa_creds.provider(assume=[SECOND])
    first = weakref.ref(irsa_creds.provider())
    irsa_creds.reset()
    gc.collect()
    assert first() is not None
    assert chain.get()
    join_refreshes()
    del chain
    irsa_creds.reset()
    gc.collect()
    assert first() is None


def test_an_error_of_the_source_role_is_raised_unchanged(sandbox: Sandbox, pod: Pod) -> None:
    pod.rotate_token(audience="somebody.else")
    with pytest.raises(ExchangeError, match="Incorrect token audience") as caught:
        irsa_creds.provider(assume=[SECOND]).get()
    assert caught.value.code == "InvalidIdentityToken"


def test_a_target_role_that_does_not_trust_its_source_is_an_error(
    sandbox: Sandbox, pod: Pod
) -> None:
    with pytest.raises(ExchangeError, match=f"{pod.role_arn} may not assume the role {THIRD}"):
        irsa_creds.provider(assume=[THIRD]).get()
    assert len(sandbox.sts_calls) == 2


def test_an_invalid_chain_is_an_error_when_the_provider_is_created(pod: Pod) -> None:
    with pytest.raises(ConfigError, match="limits role chaining to 3600 seconds"):
        irsa_creds.provider(
            assume=[RoleConfig(SECOND, duration_seconds=7200)],
            endpoint_url="https://sts.eu-west-1.amazonaws.com",
        )


def test_a_chained_provider_pickles_as_its_arguments(pod: Pod) -> None:
    roles = [RoleConfig(SECOND, external_id="id-1", tags={"a": "b"})]
    chain = irsa_creds.provider(assume=roles)
    chain.get()
    roles.append(RoleConfig(THIRD))
    data = pickle.dumps(chain)
    assert chain.get().secret_access_key.encode() not in data
    assert pickle.loads(data) is chain


def test_the_shared_cache_covers_all_roles_of_the_chain(
    sandbox: Sandbox, pod: Pod, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir(0o700)
    keys = set()
    for _ in range(2):
        chain = irsa_creds.provider(assume=[SECOND], shared_cache=cache)
        keys.add(chain.get().access_key_id)
        join_refreshes()
        irsa_creds.reset()
    assert len(keys) == 1
    assert len(sandbox.sts_calls) == 2


def test_botocore_credentials_of_a_chain_have_the_method_assume_role(pod: Pod) -> None:
    chain = irsa_creds.provider(assume=[SECOND])
    assert chain.botocore_credentials().method == "assume-role"
    assert irsa_creds.provider().botocore_credentials().method == "assume-role-with-web-identity"


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_refreshes_both_roles_itself(sandbox: Sandbox, pod: Pod) -> None:
    chain = irsa_creds.provider(assume=[SECOND])
    current = chain.get()
    join_refreshes()
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child
        code = 1
        try:
            same = chain.get() == current
            irsa_creds.provider().invalidate()
            chain.invalidate()
            code = 0 if same and chain.get() != current else 2
        except irsa_creds.IrsaError as error:
            os.write(2, f"In the child: {error}\n".encode())
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert chain.get() == current
    assert len(sandbox.sts_calls) == 4


# -- profiles --------------------------------------------------------------------------------------


@pytest.mark.parametrize("explicit", [True, False])
def test_a_profile_that_leads_to_a_web_identity_is_a_chain(
    pod: Pod, profiles: Path, monkeypatch: pytest.MonkeyPatch, *, explicit: bool
) -> None:
    if not explicit:
        monkeypatch.setenv("AWS_PROFILE", "third")
    chain = irsa_creds.provider(profile="third" if explicit else None)
    found = chain.get().assumed_role_arn or ""
    assert found.startswith("arn:aws:sts::123456789012:assumed-role/third/")
    assert pickle.loads(pickle.dumps(chain)) is chain


def test_a_session_and_a_provider_of_one_profile_share_the_chain(
    sandbox: Sandbox, pod: Pod, profiles: Path
) -> None:
    irsa_creds.install()
    credentials = Session(profile="third").get_credentials()
    assert credentials.provider is irsa_creds.provider(profile="third")
    assert pickle.loads(pickle.dumps(credentials.provider)) is credentials.provider
    credentials.get_frozen_credentials()
    assert [each.session_name for each in sandbox.sts_calls][1] == "by-profile"


def test_assumed_roles_follow_the_roles_of_the_profile(
    sandbox: Sandbox, pod: Pod, profiles: Path
) -> None:
    irsa_creds.provider(profile="second", assume=[THIRD]).get()
    assert [each.role_arn for each in sandbox.sts_calls] == [pod.role_arn, SECOND, THIRD]


def test_an_explicit_role_ignores_the_profiles_chain(
    pod: Pod, profiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "third")
    plain = irsa_creds.provider(role_arn=pod.role_arn, region="us-east-1")
    assert plain.role_arn == pod.role_arn
    assert not engine_of(plain).fetcher.is_chained


def test_an_error_in_a_profile_names_the_profile(profiles: Path) -> None:
    profiles.write_text(profiles.read_text().replace(THIRD, "third"))
    with pytest.raises(ConfigError, match="role_arn of the profile 'third' is 'third'"):
        irsa_creds.provider(profile="third")


def test_a_profile_with_an_mfa_device_is_not_supported(profiles: Path) -> None:
    profiles.write_text(
        profiles.read_text().replace("[profile second]", "[profile second]\nmfa_serial = x")
    )
    with pytest.raises(ConfigError, match="IRSA is not configured"):
        irsa_creds.provider(profile="third")


# -- outages ---------------------------------------------------------------------------------------


@pytest.fixture
def readers() -> Iterator[list[threading.Thread]]:
    made: list[threading.Thread] = []
    yield made
    for each in made:
        each.join(30)
        assert not each.is_alive()


def test_an_outage_of_sts_affects_no_caller_with_valid_credentials_of_the_target_role(
    sandbox: Sandbox, pod: Pod, readers: list[threading.Thread]
) -> None:
    chain, first = irsa_creds.provider(assume=[SECOND]), irsa_creds.provider()
    current = chain.get()
    join_refreshes()
    first.invalidate()
    sandbox.faults.outage = "500"
    engine_of(chain).snapshot.refresh_at = engine_of(chain).snapshot.check_at = 0.0
    errors: list[BaseException] = []

    def read() -> None:
        try:
            for _ in range(200):
                assert chain.get() == current
        except (irsa_creds.IrsaError, AssertionError) as error:
            errors.append(error)

    readers += [threading.Thread(target=read) for _ in range(8)]
    for each in readers:
        each.start()
    for each in readers:
        each.join(30)
    assert errors == []
    eventually(lambda: chain.status().last_failure is not None)
