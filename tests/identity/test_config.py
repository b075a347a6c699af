"""`Config.resolve` finds the same values as botocore; equal identities share, others never do."""

from __future__ import annotations

import functools
import itertools
import logging
import os
import pickle
import socket
from typing import TYPE_CHECKING, Any

import pytest

import irsa_creds
from irsa_creds._errors import ConfigError
from irsa_creds._identity import not_configured
from irsa_creds._identity.config import Config, _node_name
from irsa_creds._identity.endpoint_settings import HttpSettings
from irsa_creds._identity.not_configured import warn_of_other_provider
from irsa_creds._identity.settings import EnvironSettings

if TYPE_CHECKING:
    from pathlib import Path

ROLE = "arn:aws:iam::123456789012:role/app"
OTHER_ROLE = "arn:aws:iam::123456789012:role/other"
PROFILES = f"""\
[default]
output = json
[profile whole]
role_arn = {OTHER_ROLE}
web_identity_token_file = /profile/token
role_session_name = profile-name
[profile token-only]
web_identity_token_file = /profile/token
[profile role-only]
role_arn = {OTHER_ROLE}
[profile long]
duration_seconds = 7200
[profile short]
duration_seconds = 60
"""


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only the profiles of this test."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)
    (tmp_path / "config").write_text(PROFILES)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "missing"))
    node = "irsa_creds._identity.config._node_name"
    monkeypatch.setattr(node, lambda: "app-7d9c5b8f6d-x2x7q")
    not_configured._warn_once.cache_clear()


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that the Pod Identity webhook injects."""
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/token")


def resolve(**arguments: Any) -> Config:
    config = Config.resolve(**arguments)
    assert config is not None
    return config


def test_what_the_webhook_injects_is_enough(webhook: None) -> None:
    expected = Config(
        role_arn=ROLE,
        token_file="/var/token",
        session_name="app-7d9c5b8f6d-x2x7q",
        region_identity="aws-global",
    )
    assert resolve() == expected


def test_every_argument_finds_its_field(webhook: None) -> None:
    http = HttpSettings(client_cert="/client.pem")
    arguments: dict[str, Any] = {
        "role_arn": OTHER_ROLE,
        "token_file": "/argument/token",
        "session_name": "argument",
        "duration_seconds": 900,
        "policy_arns": ("arn:aws:iam::aws:policy/ReadOnlyAccess",),
        "endpoint_url": "https://sts.eu-west-1.amazonaws.com",
        "region": "eu-west-1",
        "http": http,
    }
    config = resolve(**arguments, policy={"Version": "2012-10-17"})
    assert {name: getattr(config, name) for name in arguments} == arguments
    assert config.policy == '{"Version":"2012-10-17"}'
    assert not config.duration_optional


def test_a_callable_is_used_instead_of_the_file(webhook: None) -> None:
    def fetch() -> str:
        return ""

    def issuer(path: str) -> str:
        raise AssertionError

    config = resolve(token=fetch, issuer=issuer)
    assert config.token is fetch
    assert config.token_file is None


def test_the_issuer_of_the_token_file_gives_the_region(webhook: None) -> None:
    def issuer(path: str) -> str:
        assert path == "/var/token"
        return "https://oidc.eks.eu-central-1.amazonaws.com/id/0123ABCD"

    config = resolve(issuer=issuer, client_region="us-east-1")
    assert config.region == "eu-central-1"


def test_without_a_token_irsa_is_not_configured(caplog: pytest.LogCaptureFixture) -> None:
    assert Config.resolve() is None
    assert Config.resolve(EnvironSettings(os.environ, "role-only")) is None
    assert Config.resolve(role_arn=ROLE) is None
    assert not caplog.records


def test_a_role_without_a_token_logs_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    warn_of_other_provider(EnvironSettings(os.environ, "default"))
    assert not caplog.records
    for _ in range(2):
        assert Config.resolve() is None
        warn_of_other_provider(EnvironSettings(os.environ))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "AWS_ROLE_ARN is set, but AWS_WEB_IDENTITY_TOKEN_FILE is not" in caplog.text


def test_a_missing_token_is_an_error_of_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        ConfigError, match=r"^No web identity token is named, so IRSA is not configured"
    ):
        irsa_creds.provider()
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    with pytest.raises(ConfigError, match=r"^AWS_ROLE_ARN is 'arn:.*', but no web identity token"):
        irsa_creds.provider()


def test_a_token_without_a_role_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/token")
    variable = "AWS_WEB_IDENTITY_TOKEN_FILE is set"
    with pytest.raises(ConfigError, match=f"^{variable}, but no role is named; set AWS_ROLE_ARN"):
        Config.resolve()
    monkeypatch.setenv("AWS_ROLE_ARN", "")
    with pytest.raises(
        ConfigError, match=f"^{variable}, but AWS_ROLE_ARN is empty; set AWS_ROLE_ARN"
    ):
        Config.resolve()
    with pytest.raises(ConfigError, match=r"^The argument token is set, but"):
        Config.resolve(token=str)
    with pytest.raises(ConfigError, match=r"^web_identity_token_file of the profile 'token-only'"):
        Config.resolve(EnvironSettings(os.environ, "token-only"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"token": str, "token_file": "/t"}, "Both arguments token and token_file are given"),
        ({"token": "/t"}, "The argument token is a str, but it must be a callable"),
        ({"token_file": ""}, "The argument token_file is '', which is not a path"),
        ({"role_arn": "app"}, "The argument role_arn is 'app'"),
        ({"role_arn": ""}, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but The arg"),
        ({"session_name": ""}, "The argument session_name is ''"),
        ({"duration_seconds": 60}, "The argument duration_seconds is 60"),
        ({"policy": "no"}, "The argument policy is 'no'"),
        ({"policy_arns": "no"}, "The argument policy_arns is 'no'"),
        ({"region": "no region"}, "The argument region is 'no region'"),
        ({"endpoint_url": "no-url"}, "The argument endpoint_url is 'no-url'"),
    ],
)
def test_a_bad_argument_is_an_error_that_names_it(
    arguments: dict[str, Any], message: str, webhook: None
) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.resolve(**arguments)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AWS_ROLE_ARN", "app", "AWS_ROLE_ARN is 'app', but an ARN begins"),
        ("AWS_ROLE_SESSION_NAME", "", "AWS_ROLE_SESSION_NAME is ''"),
        ("AWS_PROFILE", "short", "duration_seconds of the profile 'short' is 60"),
        ("IRSA_CREDS_DURATION_SECONDS", "60", "IRSA_CREDS_DURATION_SECONDS is 60"),
        ("IRSA_CREDS_DURATION_SECONDS", "1h", "IRSA_CREDS_DURATION_SECONDS is '1h'"),
        ("AWS_PROFILE", "gone", "AWS_PROFILE names the profile 'gone'"),
        ("AWS_REGION", "eu_west", "AWS_REGION is 'eu_west'"),
        ("AWS_ENDPOINT_URL", "rgw", "AWS_ENDPOINT_URL is 'rgw'"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "both", "AWS_STS_REGIONAL_ENDPOINTS (or"),
        ("AWS_CA_BUNDLE", "", "AWS_CA_BUNDLE (or the profile's ca_bundle) is ''"),
    ],
)
def test_a_bad_variable_is_an_error_that_names_it(
    name: str, value: str, message: str, webhook: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        Config.resolve()
    assert str(caught.value).startswith(message)


def test_a_duration_of_the_profile_is_optional(
    webhook: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "long")
    config = resolve()
    assert (config.duration_seconds, config.duration_optional) == (7200, True)
    config = resolve(duration_seconds=900)
    assert (config.duration_seconds, config.duration_optional) == (900, False)


def test_the_variable_of_the_duration_takes_precedence_over_the_profile(
    webhook: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "long")
    monkeypatch.setenv("IRSA_CREDS_DURATION_SECONDS", " 10800 ")
    config = resolve()
    assert (config.duration_seconds, config.duration_optional) == (10_800, False)
    assert resolve(duration_seconds=900).duration_seconds == 900
    monkeypatch.setenv("IRSA_CREDS_DURATION_SECONDS", "")
    assert resolve().duration_seconds == 7200


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [
        ({}, 3600),
        ({"endpoint_url": "https://sts.eu-west-1.amazonaws.com"}, 3600),
        ({"endpoint_url": "http://rgw:8000"}, 604_800),
        ({"duration_seconds": 900}, 900),
        ({"duration_seconds": 5, "endpoint_url": "http://rgw:8000"}, 5),
    ],
)
def test_a_lifetime_has_a_ceiling(arguments: dict[str, Any], seconds: int, webhook: None) -> None:
    config = resolve(**arguments)
    assert config.lifetime_ceiling == seconds
    assert config.is_aws_endpoint is ("rgw" not in arguments.get("endpoint_url", ""))


def test_other_endpoints_have_roles_and_lifetimes_of_their_own(webhook: None) -> None:
    role = "arn:aws:iam:::role/X"
    assert resolve(role_arn=role, endpoint_url="http://rgw:8000").role_arn == role
    with pytest.raises(ConfigError, match="account id is not 12 digits"):
        resolve(role_arn=role)


def test_the_partition_is_that_of_the_role(webhook: None) -> None:
    assert resolve(role_arn="arn:aws-cn:iam::123456789012:role/app").partition == "aws-cn"


def test_the_region_of_a_session_is_not_part_of_the_identity(
    webhook: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    regional = [
        resolve(session_region="eu-west-1"),
        resolve(session_region="eu-west-2"),
        resolve(client_region="eu-west-3"),
    ]
    assert len(set(regional)) == 1
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert resolve() == regional[0]
    assert [config.region for config in regional] == ["eu-west-1", "eu-west-2", "eu-west-3"]


def test_the_user_agent_is_not_part_of_the_identity(
    webhook: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_variables = resolve()
    assert by_variables.user_agent.features == ("h",)
    assert by_variables.features == {"h", "k"}
    by_arguments = resolve(
        role_arn=ROLE, token_file="/var/token", session_name=by_variables.session_name
    )
    assert by_arguments.user_agent.features == ()
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "shop")
    assert len({by_variables, by_arguments, resolve()}) == 1


def test_everything_else_is_part_of_the_identity(
    webhook: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    configs = [
        resolve(),
        resolve(role_arn=OTHER_ROLE),
        resolve(token_file="/other"),
        resolve(token=str),
        resolve(token=repr),
        resolve(session_name="other"),
        resolve(duration_seconds=3600),
        resolve(policy="{}"),
        resolve(policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"]),
        resolve(region="eu-central-1"),
        resolve(region="aws-global"),
        resolve(endpoint_url="http://rgw:8000"),
        resolve(http=HttpSettings(verify="/ca.pem")),
        resolve(http=HttpSettings(proxies=(("https", "http://proxy:1"),))),
    ]
    for name in ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"):
        monkeypatch.setenv(name, "true")
        configs.append(resolve())
    assert len(set(configs)) == len(configs)


def test_a_bound_method_is_the_same_identity_each_time(webhook: None) -> None:
    class Vault:
        def fetch(self) -> str:
            return ""

    vault = Vault()
    assert resolve(token=vault.fetch) == resolve(token=vault.fetch)
    assert resolve(token=vault.fetch) != resolve(token=Vault().fetch)


def test_it_pickles_as_itself(webhook: None) -> None:
    config = resolve(region="eu-west-1", policy="{}")
    again = pickle.loads(pickle.dumps(config))
    assert again == config
    assert again.region == "eu-west-1"


def test_its_repr_shows_no_secret(webhook: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:canary@proxy:3128")
    fetch = functools.partial(str, "canary")
    text = repr(resolve(token=fetch))
    assert "canary" not in text
    assert "token=<partial>" in text
    assert "***@proxy:3128" in text
    assert f"role_arn='{ROLE}'" in text
    assert "token=<test_" in repr(resolve(token=lambda: ""))
    assert "token_file=(10 characters, without a slash)" in repr(resolve(token_file="hvs.canary"))
    assert "token_file='/var/token'" in repr(resolve())


VARIABLES = {
    "AWS_WEB_IDENTITY_TOKEN_FILE": (None, "", "/variable/token"),
    "AWS_ROLE_ARN": (None, "", ROLE),
    "AWS_ROLE_SESSION_NAME": (None, "", "variable-name"),
    "AWS_PROFILE": (None, "", "whole", "token-only", "role-only", "gone"),
}


def test_the_host_is_named_as_socket_names_it() -> None:
    assert _node_name() == socket.gethostname()


@pytest.mark.parametrize("explicit", [None, "default", "whole", "token-only", "role-only", "gone"])
def test_role_token_and_session_name_are_the_same_as_botocores(
    explicit: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With an explicit profile, AWS_PROFILE has no effect: one value of it shows that.
    profiles = VARIABLES["AWS_PROFILE"] if explicit is None else ("whole",)
    for values in itertools.product(*list(VARIABLES.values())[:-1], profiles):
        with monkeypatch.context() as patch:
            for name, value in zip(VARIABLES, values, strict=True):
                if value is not None:
                    patch.setenv(name, value)
            expected = found_by_botocore(explicit)
            found = found_by_us(explicit)
            # An empty variable ends the search before the profile is read, so it may not exist.
            if not (found is None and expected is ConfigError and values[0] == ""):
                assert found == expected, values


def found_by_us(profile: str | None) -> Any:
    try:
        config = Config.resolve(EnvironSettings(os.environ, profile))
    except ConfigError:
        return ConfigError
    return config and (config.role_arn, config.token_file, config.session_name)


def found_by_botocore(profile: str | None) -> Any:
    """Return what botocore's provider would send; `ConfigError` if its client would reject it."""
    from botocore.credentials import create_credential_resolver
    from botocore.exceptions import InvalidConfigError, ProfileNotFound
    from botocore.session import Session

    try:
        resolver = create_credential_resolver(Session(profile=profile))
        provider = resolver.get_provider("assume-role-with-web-identity")
        if provider.load() is None:
            return None
    except (InvalidConfigError, ProfileNotFound):
        return ConfigError
    keys = ("role_arn", "web_identity_token_file", "role_session_name")
    role, token, name = map(provider._get_config, keys)
    if name == "":
        return ConfigError
    # A documented difference: the host name, where botocore uses the time.
    return role, token, name or "app-7d9c5b8f6d-x2x7q"
