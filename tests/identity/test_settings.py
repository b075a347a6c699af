"""Environment and files are read as botocore reads them, and only if they are needed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ConfigNotFound
from botocore.session import Session

from irsa_creds._errors import ConfigError
from irsa_creds._identity.settings import (
    EnvironSettings,
    Setting,
    find_profile_key,
    find_web_identity,
)
from irsa_creds._sessions.session_settings import SessionSettings

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
[default]
region = eu-west-1
role_arn = arn:default

[profile app]
role_arn = arn:app
duration_seconds = 1200
ca_bundle = /app.pem
services = local

[services local]
sts =
  endpoint_url = http://127.0.0.1:1
"""
CREDENTIALS = """\
[app]
role_arn = arn:credentials

[only-here]
role_arn = arn:only
"""


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text(CONFIG)
    credentials.write_text(CREDENTIALS)
    return {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}


@pytest.fixture
def no_files(tmp_path: Path) -> dict[str, str]:
    missing = str(tmp_path / "missing")
    return {"AWS_CONFIG_FILE": missing, "AWS_SHARED_CREDENTIALS_FILE": missing}


def test_without_a_profile_it_is_the_default_one(files: dict[str, str]) -> None:
    settings = EnvironSettings(files)
    assert settings.profile_name == "default"
    assert settings.profile("role_arn") == "arn:default"
    assert not settings.explicit_profile


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_a_variable_selects_a_profile_and_is_not_explicit(name: str, files: dict[str, str]) -> None:
    settings = EnvironSettings(files | {name: "only-here"})
    assert settings.profile("role_arn") == "arn:only"
    assert not settings.explicit_profile


def test_aws_default_profile_takes_precedence_over_aws_profile_as_in_botocore(
    files: dict[str, str],
) -> None:
    names = {"AWS_DEFAULT_PROFILE": "only-here", "AWS_PROFILE": "app"}
    assert EnvironSettings(files | names).profile_name == "only-here"


def test_an_argument_takes_precedence_over_both_and_is_explicit(files: dict[str, str]) -> None:
    settings = EnvironSettings(files | {"AWS_PROFILE": "app"}, profile="default")
    assert settings.profile_name == "default"
    assert settings.explicit_profile


def test_the_credentials_file_is_merged_over_the_configuration(files: dict[str, str]) -> None:
    settings = EnvironSettings(files, profile="app")
    assert settings.profile("role_arn") == "arn:credentials"
    assert settings.profile("duration_seconds") == "1200"


def test_only_one_of_the_files_may_exist(files: dict[str, str], no_files: dict[str, str]) -> None:
    key = "AWS_CONFIG_FILE"
    assert EnvironSettings(files | {key: no_files[key]}, "only-here").profile("x") is None
    key = "AWS_SHARED_CREDENTIALS_FILE"
    assert EnvironSettings(files | {key: no_files[key]}).profile("region") == "eu-west-1"


def test_services_sections_are_nested(files: dict[str, str]) -> None:
    settings = EnvironSettings(files)
    assert settings.services("local") == {"sts": {"endpoint_url": "http://127.0.0.1:1"}}
    assert settings.services("other") is None


def test_services_sections_of_a_session_are_nested(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, path in files.items():
        monkeypatch.setenv(name, path)
    settings = SessionSettings(Session(), "default", explicit_profile=False)
    assert settings.services("local") == {"sts": {"endpoint_url": "http://127.0.0.1:1"}}
    assert settings.services("other") is None


def test_the_variable_of_an_option_takes_precedence_even_when_empty(files: dict[str, str]) -> None:
    assert EnvironSettings(files, "app").option("ca_bundle") == "/app.pem"
    assert EnvironSettings(files | {"AWS_CA_BUNDLE": ""}, "app").option("ca_bundle") == ""


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_an_unknown_profile_is_named_with_the_variable(name: str, files: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=f"^{name} names the profile 'gone', which is not in '/"):
        EnvironSettings(files | {name: "gone"}).profile("role_arn")


def test_one_file_for_both_is_named_once(no_files: dict[str, str]) -> None:
    environ = no_files | dict.fromkeys(
        ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), "/dev/null"
    )
    with pytest.raises(ConfigError, match=r"'gone', which is not in '/dev/null'; add it,"):
        EnvironSettings(environ, "gone").profile("role_arn")


def test_no_file_has_an_unknown_profile(no_files: dict[str, str]) -> None:
    with pytest.raises(
        ConfigError, match=r"^The argument profile names the profile 'default', which"
    ):
        EnvironSettings(no_files, "default").profile("role_arn")


def test_without_files_and_profile_nothing_is_set(no_files: dict[str, str]) -> None:
    settings = EnvironSettings(no_files)
    assert settings.profile("region") is None
    assert settings.services("local") is None


def test_without_files_botocore_is_not_even_imported() -> None:
    code = (
        "import sys\n"
        "from irsa_creds._identity.config import Config\n"
        "from irsa_creds._identity.settings import EnvironSettings\n"
        "environ = {'AWS_ROLE_ARN': 'arn:aws:iam::123456789012:role/x', 'AWS_CONFIG_FILE': '',\n"
        "           'AWS_WEB_IDENTITY_TOKEN_FILE': '/t', 'AWS_SHARED_CREDENTIALS_FILE': ''}\n"
        "assert Config.resolve(EnvironSettings(environ))\n"
        "sys.exit('botocore' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[default]\naws_secret_access_key wJalrXUtnFEMI\n", " (line 2)"),
        ("aws_secret_access_key = wJalrXUtnFEMI\n", " (line 1)"),
        ("[default]\na = 1\na = wJalrXUtnFEMI\n", " (line 3)"),
        ("[default]\ns3 =\n  wJalrXUtnFEMI\n", ""),
    ],
)
@pytest.mark.parametrize("name", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_a_broken_file_is_named_and_its_lines_are_not_quoted(
    text: str, line: str, name: str, no_files: dict[str, str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_text(text)
    with pytest.raises(ConfigError) as caught:
        EnvironSettings(no_files | {name: str(broken)}).profile("region")
    expected = f"The file {str(broken)!r} is not a valid AWS configuration{line}; correct it."
    assert str(caught.value) == expected
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_file_that_is_not_text_is_named(no_files: dict[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"[default]\na = \xff\xfe\n")
    with pytest.raises(ConfigError, match="is not a valid AWS configuration; correct it"):
        EnvironSettings(no_files | {"AWS_CONFIG_FILE": str(broken)}).profile("region")


def test_a_file_that_is_removed_meanwhile_counts_as_empty(
    no_files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.path.isfile", lambda path: True)

    def vanish(path: str) -> None:
        raise ConfigNotFound(path=path)

    for name in ("load_config", "raw_config_parse"):
        monkeypatch.setattr(f"botocore.configloader.{name}", vanish)
    assert EnvironSettings(no_files).profile("region") is None


def test_variables_and_tilde_in_a_path_are_expanded(
    no_files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FILE", "config")
    settings = EnvironSettings(no_files | {"AWS_CONFIG_FILE": "~/$FILE"})
    assert settings.profile("region") == "eu-west-1"


def test_a_web_identity_variable_takes_precedence_even_when_empty(files: dict[str, str]) -> None:
    settings = EnvironSettings(files | {"AWS_ROLE_ARN": "", "AWS_PROFILE": "app"})
    assert find_web_identity(settings, "role_arn") == Setting("", "AWS_ROLE_ARN")


def test_an_explicit_profile_turns_the_web_identity_variables_off(files: dict[str, str]) -> None:
    settings = EnvironSettings(files | {"AWS_ROLE_ARN": "arn:variable"}, profile="app")
    expected = Setting("arn:credentials", "role_arn of the profile 'app'")
    assert find_web_identity(settings, "role_arn") == expected


def test_a_key_that_is_unset_is_not_found(files: dict[str, str]) -> None:
    settings = EnvironSettings(files)
    assert find_profile_key(settings, "duration_seconds") is None
    assert find_web_identity(settings, "web_identity_token_file") is None
