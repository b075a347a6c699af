"""Sources with precedence over the endpoint, compared with botocore's own chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import BotoCoreError

from irsa_creds.cli._other_sources import overriding_sources

# A source with precedence, and the profile that contains it.
SOURCES = {
    "role_arn": "role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = other",
    "web_identity_token_file": "web_identity_token_file = /token",
    "sso_session": "sso_session = mine",
    "sso_start_url": "sso_start_url = https://example.awsapps.com/start",
    "sso_account_id": "sso_account_id = 123456789012\nsso_role_name = reader",
    "aws_access_key_id": "aws_access_key_id = AKIA\naws_secret_access_key = secret",
    "login_session": "login_session = arn:aws:iam::123456789012:user/me",
    "credential_process": "credential_process = /bin/false",
    # The SDK for Go fails on half of a role.
    "source_profile": "source_profile = other",
    "credential_source": "credential_source = EcsContainer",
}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of a child with files that do not exist yet."""
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
    assert next(overriding_sources(environ)) == f"{key} of the profile 'default' in {environ[file]}"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[default]\nregion = eu-central-1\noutput = json\n",
        "[default]\nregion = eu-central-1\ns3 =\n  max_concurrent_requests = 3\n",
        "[profile other]\ncredential_process = /bin/false\n",
    ],
    ids=["empty", "settings", "nested settings", "another profile"],
)
def test_nothing_else_in_a_file_is_a_rival(content: str, environ: dict[str, str]) -> None:
    Path(environ["AWS_CONFIG_FILE"]).write_text(content)
    assert list(overriding_sources(environ)) == []


def test_without_files_no_other_source_takes_precedence(environ: dict[str, str]) -> None:
    assert list(overriding_sources(environ)) == []


def test_the_usual_files_are_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    for name in ("config", "credentials"):
        (tmp_path / ".aws" / name).write_text("[default]\naws_access_key_id = AKIA\n")
    (tmp_path / ".boto").write_text("[Credentials]\naws_access_key_id = AKIA\n")
    assert list(overriding_sources({})) == [
        "aws_access_key_id of the profile 'default' in ~/.aws/credentials",
        "aws_access_key_id of the profile 'default' in ~/.aws/config",
        "aws_access_key_id of [Credentials] in ~/.boto",
    ]


def test_a_file_of_boto_2_without_keys_does_not_count(environ: dict[str, str]) -> None:
    Path(environ["BOTO_CONFIG"]).write_text("[Boto]\ndebug = 1\n")
    assert list(overriding_sources(environ)) == []


@pytest.mark.parametrize(
    "variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG"]
)
@pytest.mark.parametrize(
    "content", [b"[default\naws_secret_access_key = hush\n", b"[a]\nb =\n  hush\n", b"\xff"]
)
def test_a_file_that_does_not_parse_is_named_without_its_content(
    content: bytes, variable: str, environ: dict[str, str]
) -> None:
    path = Path(environ[variable])
    path.write_bytes(content)
    assert list(overriding_sources(environ)) == [f"the file {path}, which does not parse,"]
    with pytest.raises((BotoCoreError, ValueError)):
        botocores(environ)


def botocores(environ: dict[str, str]) -> Any:
    """Return the source that botocore uses in this environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        for name in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
            patch.delenv(name, raising=False)
        return botocore.session.Session().get_credentials()


def test_sources_are_in_botocores_order(environ: dict[str, str]) -> None:
    both = "[default]\naws_access_key_id = AKIA{0}\naws_secret_access_key = secret\n"
    shared, config = environ["AWS_SHARED_CREDENTIALS_FILE"], environ["AWS_CONFIG_FILE"]
    Path(shared).write_text(both.format("SHARED"))
    Path(config).write_text(f"{both.format('CONFIG')}credential_process = /bin/false\n")
    assert list(overriding_sources(environ)) == [
        f"aws_access_key_id of the profile 'default' in {shared}",
        f"credential_process of the profile 'default' in {config}",
        f"aws_access_key_id of the profile 'default' in {config}",
    ]
    assert botocores(environ).access_key == "AKIASHARED"


def test_without_a_home_nothing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stranger(_: object) -> None:
        raise KeyError

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", stranger)
    monkeypatch.chdir(tmp_path)
    assert list(overriding_sources({})) == []
    assert list(overriding_sources({"BOTO_CONFIG": "~nosuch/x"})) == []


@pytest.mark.parametrize("name", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_an_empty_file_name_counts_as_not_set(
    name: str, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    for file in ("config", "credentials"):
        (tmp_path / ".aws" / file).write_text("[default]\ncredential_process = /bin/false\n")
    (found,) = overriding_sources({**environ, name: ""})
    assert "'default' in ~/.aws/" in found


@pytest.mark.parametrize("title", ["[ default ]", "[default ]", "[\tdefault]"])
@pytest.mark.parametrize("file", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_a_default_profile_with_blanks_in_its_brackets_is_named(
    file: str, title: str, environ: dict[str, str]
) -> None:
    Path(environ[file]).write_text(f"{title}\naws_access_key_id = AKIA\n")
    assert list(overriding_sources(environ)) == [
        f"aws_access_key_id of the profile 'default' in {environ[file]}"
    ]


@pytest.mark.parametrize(
    "title", ["[profile default]", '[profile "default"]', "[ profile  default ]"]
)
def test_the_default_profile_of_a_configuration_file_may_be_titled_profile(
    title: str, environ: dict[str, str]
) -> None:
    Path(environ["AWS_CONFIG_FILE"]).write_text(f"{title}\naws_access_key_id = AKIA\n")
    assert next(overriding_sources(environ)).startswith(
        "aws_access_key_id of the profile 'default'"
    )


PROPERTIES = [
    "aws.accessKeyId",
    "aws.webIdentityTokenFile",
    "aws.profile",
    "aws.sharedCredentialsFile",
    "aws.configFile",
]


@pytest.mark.parametrize("name", ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"])
@pytest.mark.parametrize("each", PROPERTIES)
def test_java_properties_take_precedence(name: str, each: str, environ: dict[str, str]) -> None:
    assert list(overriding_sources({**environ, name: f"-Xmx1g -D{each}=hush"})) == [
        f"-D{each} in {name}"
    ]
    assert list(overriding_sources({**environ, name: "-Xmx1g -Daws.region=x"})) == []


@pytest.mark.parametrize("each", PROPERTIES)
@pytest.mark.parametrize(
    "command", [["java", "-D{}=hush", "-jar", "x.jar"], ["/bin/sh", "-c", "java -D{}=hush X"]]
)
def test_java_properties_in_the_arguments_take_precedence(
    command: list[str], each: str, environ: dict[str, str]
) -> None:
    argv = [part.format(each) for part in command]
    assert list(overriding_sources(environ, argv)) == [f"-D{each} in the command's arguments"]
    assert list(overriding_sources(environ, ["java", "-Daws.region=x"])) == []


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
