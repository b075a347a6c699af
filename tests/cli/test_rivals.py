"""What would beat the endpoint in a child's environment, held against botocore's own chain."""

from __future__ import annotations

from pathlib import Path

import botocore.session
import pytest

from irsa_creds import ConfigError
from irsa_creds.cli._rivals import child_environ, rivals

# What wins, and the profile that makes it win.
SOURCES = {
    "role_arn": "role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = other",
    "web_identity_token_file": "web_identity_token_file = /token",
    "sso_session": "sso_session = mine",
    "sso_start_url": "sso_start_url = https://example.awsapps.com/start",
    "sso_account_id": "sso_account_id = 123456789012\nsso_role_name = reader",
    "aws_access_key_id": "aws_access_key_id = AKIA\naws_secret_access_key = secret",
    "login_session": "login_session = arn:aws:iam::123456789012:user/me",
    "credential_process": "credential_process = /bin/false",
}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of a child whose files are not there yet."""
    return {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "BOTO_CONFIG": str(tmp_path / "boto"),
    }


@pytest.mark.parametrize("file", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
@pytest.mark.parametrize("key", SOURCES)
def test_a_default_profile_that_is_a_source_is_named_with_its_file(
    key: str, file: str, environ: dict[str, str]
) -> None:
    Path(environ[file]).write_text(f"[default]\n{SOURCES[key]}\n")
    assert next(rivals(environ)) == f"{key} of the profile 'default' in {environ[file]}"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[default]\nregion = eu-central-1\noutput = json\n",
        "[default]\nregion = eu-central-1\ns3 =\n  max_concurrent_requests = 3\n",
        "[profile other]\ncredential_process = /bin/false\n",
        "[default]\ncredential_source = EcsContainer\n",
    ],
    ids=["empty", "settings", "nested settings", "another profile", "half a source"],
)
def test_nothing_else_in_a_file_is_a_rival(content: str, environ: dict[str, str]) -> None:
    Path(environ["AWS_CONFIG_FILE"]).write_text(content)
    assert list(rivals(environ)) == []


def test_where_there_are_no_files_there_are_no_rivals(environ: dict[str, str]) -> None:
    assert list(rivals(environ)) == []


def test_the_usual_files_are_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    for name in ("config", "credentials"):
        (tmp_path / ".aws" / name).write_text("[default]\naws_access_key_id = AKIA\n")
    (tmp_path / ".boto").write_text("[Credentials]\naws_access_key_id = AKIA\n")
    assert list(rivals({})) == [
        "aws_access_key_id of the profile 'default' in ~/.aws/credentials",
        "aws_access_key_id of the profile 'default' in ~/.aws/config",
        "aws_access_key_id of [Credentials] in ~/.boto",
    ]


@pytest.mark.parametrize("content", ["no section\n", "[Boto]\ndebug = 1\n"])
def test_a_file_of_boto_2_without_keys_is_none(content: str, environ: dict[str, str]) -> None:
    Path(environ["BOTO_CONFIG"]).write_text(content)
    assert list(rivals(environ)) == []


def test_a_file_that_does_not_parse_is_an_error_without_its_content(
    environ: dict[str, str],
) -> None:
    Path(environ["AWS_CONFIG_FILE"]).write_text("[default\naws_secret_access_key = hush\n")
    with pytest.raises(ConfigError, match="not a valid AWS configuration") as caught:
        list(rivals(environ))
    assert "hush" not in str(caught.value)


def test_what_names_other_credentials_is_taken_out_of_the_environment() -> None:
    kept = {
        "AWS_REGION": "x",
        "AWS_CONFIG_FILE": "x",
        "AWS_ENDPOINT_URL": "x",
        "PATH": "x",
        "IRSA_CREDS_CACHE_DIR": "x",
    }
    gone = dict.fromkeys(
        (
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_PROFILE",
            "AWS_DEFAULT_PROFILE",
            "AWS_ROLE_ARN",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_ROLE_SESSION_NAME",
            "AWS_CREDENTIAL_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ),
        "x",
    )
    assert child_environ({**kept, **gone}) == kept


def test_botocores_chain_has_no_link_before_the_endpoint_that_is_not_known_here() -> None:
    # What is new there is to be looked at, and then named here.
    session = botocore.session.Session()
    names = [each.METHOD for each in session.get_component("credential_provider").providers]
    known = {
        "env",
        "assume-role",
        "assume-role-with-web-identity",
        "sso",
        "shared-credentials-file",
        "login",
        "custom-process",
        "config-file",
        "ec2-credentials-file",
        "boto-config",
    }
    assert set(names[: names.index("container-role")]) <= known
