"""install() replaces botocore's web identity provider, in all sessions or in one."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import boto3
import botocore
import botocore.credentials
import pytest
from botocore.credentials import ProfileProviderBuilder
from botocore.session import Session

import irsa_creds
from botocore_sessions import (
    SECOND,
    give_node_role,
    is_ours,
    pod,
    warnings,
    write_profiles,
    write_target_profile,
)
from fake_network import KEYS, WEB_IDENTITY, FakeNetwork
from fresh_interpreter import python
from irsa_creds._sessions import compat, install
from irsa_creds.botocore import IrsaCredentials, IrsaProvider

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WARNED = "had looked for credentials"


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeNetwork:
    return pod(monkeypatch, tmp_path)


# -- affected sessions -----------------------------------------------------------------------------


def test_without_install_sessions_have_botocores_credentials() -> None:
    assert not is_ours(Session())


@pytest.mark.parametrize("make", [Session, boto3.Session])
def test_install_affects_new_sessions(make: Callable[[], Any]) -> None:
    irsa_creds.install()
    assert is_ours(make())


@pytest.mark.parametrize("make", [Session, boto3.Session])
def test_install_affects_a_session_that_has_not_looked_for_credentials(
    make: Callable[[], Any],
) -> None:
    session = make()
    irsa_creds.install()
    assert is_ours(session)


@pytest.mark.parametrize("make", [Session, boto3.Session])
def test_install_of_one_session_affects_no_other(make: Callable[[], Any]) -> None:
    session = make()
    irsa_creds.install(session)
    assert is_ours(session)
    assert not is_ours(make())


@pytest.mark.parametrize(
    "imports", ["irsa_creds.install(); import boto3", "import boto3; irsa_creds.install()"]
)
def test_the_order_of_imports_does_not_matter(imports: str) -> None:
    code = f"import irsa_creds; {imports}; print(type(boto3.Session().get_credentials()).__name__)"
    assert python(code) == "IrsaCredentials"


def test_installing_twice_is_the_same_as_once() -> None:
    before = ProfileProviderBuilder.providers
    session = Session()
    for _ in range(2):
        irsa_creds.install()
        irsa_creds.install(session, strict=True)
    assert is_ours(session)
    chain = session.get_component("credential_provider").providers
    irsa_creds.install(session, strict=True)
    again = session.get_component("credential_provider").providers
    assert [type(each) for each in again] == [type(each) for each in chain]
    irsa_creds.uninstall()
    assert ProfileProviderBuilder.providers is before


def test_install_may_be_called_in_any_thread() -> None:
    thread = threading.Thread(target=irsa_creds.install)
    thread.start()
    thread.join(10)
    assert is_ours(Session())


def test_clients_sign_with_credentials_of_irsa_creds(network: FakeNetwork) -> None:
    irsa_creds.install()
    boto3.client("s3").list_buckets()
    assert network.sent[-1].signed_with == KEYS[WEB_IDENTITY]
    assert len(network.sent) == 2


def test_user_agents_tell_the_source_of_credentials_and_the_application(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "shop")
    irsa_creds.install()
    boto3.client("s3").list_buckets()
    sts, s3 = network.sent
    assert [set(each.features) for each in (sts, s3)] == [{"h"}, {"h", "k"}]
    assert sts.user_agent.endswith(" ua/2.1 m/h app/shop")
    assert s3.app_id == "shop"


def test_many_sessions_make_one_sts_call(network: FakeNetwork) -> None:
    irsa_creds.install()
    for _ in range(5):
        Session().get_credentials().get_frozen_credentials()
    assert network.actions == [WEB_IDENTITY]


# -- the requested lifetime ------------------------------------------------------------------------


def requested(network: FakeNetwork) -> list[str | None]:
    return [each.form.get("DurationSeconds") for each in network.sent]


def test_install_sets_the_lifetime_for_all_sessions_and_providers_until_uninstall(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_DURATION_SECONDS", "900")
    irsa_creds.install(duration_seconds=43_200)
    boto3.Session().get_credentials().get_frozen_credentials()
    irsa_creds.install()
    irsa_creds.provider().get()
    assert requested(network) == ["43200"]
    irsa_creds.provider(duration_seconds=1_800).get()
    irsa_creds.uninstall()
    irsa_creds.provider().get()
    assert requested(network) == ["43200", "1800", "900"]


def test_the_lifetime_is_that_of_the_role_which_the_token_assumes(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_target_profile(monkeypatch, tmp_path)
    irsa_creds.install(duration_seconds=43_200)
    Session(profile="target").get_credentials().get_frozen_credentials()
    assert requested(network) == ["43200", None]


@pytest.mark.parametrize("value", ["an hour", 0, True])
def test_a_lifetime_that_is_not_a_positive_number_is_an_error_of_install(value: Any) -> None:
    with pytest.raises(irsa_creds.ConfigError, match=r"^The argument duration_seconds is "):
        irsa_creds.install(duration_seconds=value)
    assert not is_ours(Session())


def test_an_install_that_fails_sets_no_lifetime(network: FakeNetwork) -> None:
    wrong: Any = 42
    with pytest.raises(TypeError, match="takes no session"):
        irsa_creds.install(boto3.Session(), duration_seconds=7_200)
    with pytest.raises(TypeError):
        irsa_creds.install(provider=wrong, duration_seconds=7_200)
    irsa_creds.provider().get()
    assert requested(network) == [None]


def test_reset_ends_the_lifetime_that_install_set(network: FakeNetwork) -> None:
    irsa_creds.install(duration_seconds=7_200)
    irsa_creds.reset()
    irsa_creds.provider().get()
    assert requested(network) == [None]


def test_a_lifetime_that_aws_does_not_accept_is_an_error_of_the_session() -> None:
    irsa_creds.install(duration_seconds=60)
    with pytest.raises(irsa_creds.ConfigError, match=r"^The argument duration_seconds is 60"):
        Session().get_credentials()


# -- sessions that exist already -------------------------------------------------------------------


def test_a_default_session_with_botocores_credentials_resolves_again_with_one_warning(
    network: FakeNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    old = boto3.client("s3")
    irsa_creds.install()
    irsa_creds.install()

    (warning,) = warnings(caplog)
    assert warning == (
        "boto3's default session had looked for credentials (assume-role-with-web-identity) "
        "before irsa_creds.install(): new clients get irsa-creds' credentials, existing clients "
        "keep the old ones. Call install() earlier."
    )
    new = boto3.client("s3")
    assert isinstance(new._request_signer._credentials, IrsaCredentials)
    assert not isinstance(old._request_signer._credentials, IrsaCredentials)


def test_a_default_session_that_has_not_resolved_is_affected_without_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    boto3.setup_default_session()
    irsa_creds.install()
    assert is_ours(boto3.DEFAULT_SESSION)
    assert warnings(caplog) == []


def test_a_default_session_with_credentials_of_irsa_creds_is_not_changed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    irsa_creds.install()
    boto3.setup_default_session()
    current = boto3.DEFAULT_SESSION.get_credentials()
    irsa_creds.install()
    assert boto3.DEFAULT_SESSION.get_credentials() is current
    assert warnings(caplog) == []


def test_explicit_keys_stay(caplog: pytest.LogCaptureFixture) -> None:
    boto3.setup_default_session(aws_access_key_id="AKID", aws_secret_access_key="secret")
    irsa_creds.install()
    assert boto3.DEFAULT_SESSION.get_credentials().access_key == "AKID"
    assert warnings(caplog) == []


def test_credentials_of_another_provider_stay(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    boto3.setup_default_session()
    current = boto3.DEFAULT_SESSION.get_credentials()
    irsa_creds.install()
    assert boto3.DEFAULT_SESSION.get_credentials() is current
    assert warnings(caplog) == []


def test_a_session_with_other_credentials_is_not_changed_and_a_warning_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    session = boto3.Session()
    current = give_node_role(session)
    irsa_creds.install(session)
    assert session.get_credentials() is current
    (warning,) = warnings(caplog)
    assert "changes nothing" in warning
    assert "(iam-role)" in warning
    assert "strict=True" in warning


def test_a_session_with_explicit_keys_is_not_changed_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    session = boto3.Session(aws_access_key_id="AKID", aws_secret_access_key="secret")
    irsa_creds.install(session, strict=True)
    assert session.get_credentials().access_key == "AKID"
    (warning,) = warnings(caplog)
    assert "changes nothing" in warning
    assert "(explicit)" in warning
    assert "strict" not in warning


def test_a_session_with_a_target_role_assumes_it_again_with_a_warning(
    network: FakeNetwork,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write_target_profile(monkeypatch, tmp_path)
    session = Session(profile="target")
    session.get_credentials()
    irsa_creds.install(session)
    irsa_creds.install(session)
    session.get_credentials().get_frozen_credentials()

    (warning,) = warnings(caplog)
    assert warning == (
        "The session given to irsa_creds.install(session) had looked for credentials "
        "(assume-role) before irsa_creds.install(): new clients get irsa-creds' credentials, "
        "existing clients keep the old ones. Call install() earlier."
    )
    assert network.sent[0].user_agent.startswith("irsa-creds/")
    assert network.sent[-1].form["RoleArn"] == SECOND
    irsa_creds.install(session)
    assert len(warnings(caplog)) == 1


def test_a_target_role_of_static_keys_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_profiles(
        monkeypatch,
        tmp_path,
        f"[profile target]\nrole_arn = {SECOND}\nsource_profile = app\n"
        "[profile app]\naws_access_key_id = AKID\naws_secret_access_key = secret\n",
    )
    boto3.setup_default_session(profile_name="target")
    current = boto3.DEFAULT_SESSION.get_credentials()
    irsa_creds.install()
    assert boto3.DEFAULT_SESSION.get_credentials() is current
    assert warnings(caplog) == []


def test_credentials_set_before_the_chain_was_made_are_replaced(
    caplog: pytest.LogCaptureFixture,
) -> None:
    current = Session().get_credentials()
    session = Session()
    session._credentials = current
    irsa_creds.install(session)
    assert is_ours(session)
    assert [WARNED in each for each in warnings(caplog)] == [True]


def test_providers_and_caches_of_other_code_stay_in_the_chain() -> None:
    class Extra(botocore.credentials.CredentialProvider):  # type: ignore[misc]
        METHOD = "extra"

        def load(self) -> None:
            return None

    session = Session()
    chain = session.get_component("credential_provider")
    chain.insert_before("env", Extra())
    cache: dict[str, Any] = {}
    chain.get_provider("assume-role").cache = cache
    names = [each.METHOD for each in chain.providers]

    irsa_creds.install(session)

    assert session.get_component("credential_provider") is chain
    # The one addition stands before botocore's own provider for `source_profile`.
    added = names.index("assume-role")
    assert chain.providers[added].only_source_profiles
    assert [each.METHOD for each in chain.providers if each is not chain.providers[added]] == names
    assert chain.get_provider("assume-role").cache is cache
    assert is_ours(session)


def test_a_chain_of_another_class_is_not_changed() -> None:
    class Mine:
        def load_credentials(self) -> str:
            return "mine"

    session = Session()
    session.register_component("credential_provider", Mine())
    irsa_creds.install(session)
    assert session.get_credentials() == "mine"


# -- the chain's rules -----------------------------------------------------------------------------


def test_static_keys_in_the_environment_take_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    irsa_creds.install()
    assert Session().get_credentials().method == "env"


def test_an_explicit_profile_switches_the_variables_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_profiles(monkeypatch, tmp_path, "[profile plain]\noutput = json\n")
    irsa_creds.install()
    assert boto3.Session(profile_name="plain").get_credentials() is None
    assert is_ours(boto3.Session())


def test_source_role_and_target_role_both_come_from_irsa_creds(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_target_profile(monkeypatch, tmp_path)
    irsa_creds.install()

    credentials = Session(profile="target").get_credentials()

    assert (type(credentials), credentials.method) == (IrsaCredentials, "assume-role")
    assert credentials.get_frozen_credentials().access_key == KEYS["AssumeRole"]
    first, then = network.sent
    assert first.form["RoleArn"].endswith("role/first")
    assert (then.form["RoleArn"], then.signed_with) == (SECOND, KEYS[WEB_IDENTITY])
    assert all(each.user_agent.startswith("irsa-creds/") for each in network.sent)


def test_a_target_role_with_an_mfa_device_stays_botocores_with_a_source_of_irsa_creds(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_target_profile(monkeypatch, tmp_path, mfa_serial="arn:aws:iam::123456789012:mfa/user")
    irsa_creds.install()
    session = Session(profile="target")
    # Programs set their own prompt for MFA codes on botocore's provider.
    chain = session.get_component("credential_provider")
    chain.get_provider("assume-role")._prompter = lambda _: "123456"

    assert session.get_credentials().get_frozen_credentials().access_key == KEYS["AssumeRole"]
    assert [each.user_agent[:4] for each in network.sent] == ["irsa", "Boto"]
    assert network.sent[-1].form["TokenCode"] == "123456"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_can_install_if_it_was_forked_during_an_install() -> None:
    holding, done = threading.Event(), threading.Event()

    def installing() -> None:
        with install._INSTALLATION._lock:
            holding.set()
            done.wait(30)

    other = threading.Thread(target=installing)
    other.start()
    assert holding.wait(10)
    pid = os.fork()
    if pid == 0:
        # The alarm kills a child that hangs.
        signal.alarm(20)
        irsa_creds.install()
        os._exit(0)
    done.set()
    other.join(10)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize("step", ["_wrap_providers", "_wrap_resolver_factory"])
def test_a_child_forked_during_an_install_installs_again(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    providers, maker = (
        compat.profile_builder().providers,
        botocore.credentials.create_credential_resolver,
    )

    class ForkedError(Exception):
        """The install ends here, as in a child that has no thread to continue it."""

    def forked(*_: object) -> None:
        raise ForkedError

    try:
        with monkeypatch.context() as patched:
            patched.setattr(install._INSTALLATION, step, forked)
            with pytest.raises(ForkedError):
                irsa_creds.install()
        install._INSTALLATION.reset_after_fork()
        irsa_creds.install()
        chain = Session().get_component("credential_provider").providers
        assert is_ours(Session())
        # For a source profile, a web identity and a container credentials endpoint.
        assert sum(isinstance(each, IrsaProvider) for each in chain) == 3
        irsa_creds.uninstall()
        assert not is_ours(Session())
    finally:
        # No uninstall restores what the interrupted install has wrapped.
        compat.profile_builder().providers = providers
        botocore.credentials.create_credential_resolver = maker
