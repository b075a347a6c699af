"""Which container credentials endpoint the environment names."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from irsa_creds import ConfigError
from irsa_creds._identity.container import ContainerEndpoint, find_container
from irsa_creds._identity.settings import EnvironSettings

if TYPE_CHECKING:
    from pathlib import Path

POD_IDENTITY = "http://169.254.170.23/v1/credentials"
FULL = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
RELATIVE = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
ID = "9a1c5b1e-0b1c-4e55-9b3c-d0f3a7a1a111"


def find(profile: str | None = None, **variables: str) -> ContainerEndpoint | None:
    return find_container(EnvironSettings(variables, profile), {})


def found(**variables: str) -> ContainerEndpoint:
    endpoint = find(**variables)
    assert endpoint is not None
    return endpoint


def test_without_a_variable_there_is_no_endpoint() -> None:
    assert find(**{TOKEN: "token", TOKEN_FILE: "/token"}) is None


def test_the_relative_uri_takes_precedence_and_is_one_of_amazon_ecs() -> None:
    both = found(**{RELATIVE: f"/v2/credentials/{ID}", FULL: POD_IDENTITY})
    assert both.url == f"http://169.254.170.2/v2/credentials/{ID}"
    assert not both.is_pod_identity


@pytest.mark.parametrize(
    "url",
    [
        POD_IDENTITY,
        "http://[fd00:ec2::23]/v1/credentials",
        "http://169.254.170.2/v2/credentials",
        "http://localhost:8090/credentials",
        "http://127.0.0.1:8090/credentials?role=app",
        "http://127.1.2.3/",
        "http://[::1]:1338/latest",
        "https://credentials.example.com/v1",
    ],
)
def test_the_hosts_of_botocore_are_accepted(url: str) -> None:
    assert found(**{FULL: url}).url == url


@pytest.mark.parametrize(
    ("name", "value", "host"),
    [
        (FULL, "http://169.254.169.254/latest", "'169.254.169.254'"),
        (FULL, "http://10.0.0.7/credentials", "'10.0.0.7'"),
        (FULL, "http://localhost.example.com/", "'localhost.example.com'"),
        (RELATIVE, ".example.com/credentials", "'169.254.170.2.example.com'"),
    ],
)
def test_plain_http_to_another_host_is_an_error(name: str, value: str, host: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name} names the host {host}.*use https://"):
        find(**{name: value})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1/credentials",
        "ftp://localhost/",
        "//localhost/",
        "http://user:hunter2@localhost/",
        "http://localhost/a@b",
        "https://my_host.example.com/",
        "http://x y",
    ],
)
def test_what_is_not_a_url_is_an_error_that_does_not_quote_it(url: str) -> None:
    with pytest.raises(ConfigError, match=f"^{FULL} is not the URL of an endpoint") as caught:
        find(**{FULL: url})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError, match=RELATIVE):
        find(**{RELATIVE: "@example.com/"})


def test_the_token_file_takes_precedence_over_the_token() -> None:
    both = found(**{FULL: POD_IDENTITY, TOKEN_FILE: "/token", TOKEN: "Bearer 1\n"})
    assert both.is_pod_identity
    assert both.token_file == "/token"
    assert (
        found(**{FULL: POD_IDENTITY, TOKEN: "Bearer 1"}).token_source().read().value == "Bearer 1"
    )


@pytest.mark.parametrize("path", ["", "a\0b", "/x/eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"])
def test_an_invalid_path_of_the_token_is_an_error(path: str) -> None:
    with pytest.raises(ConfigError, match=f"^{TOKEN_FILE} is .*, which is not a path") as caught:
        find(**{FULL: POD_IDENTITY, TOKEN_FILE: path})
    assert "eyJzdWIiOiJhIn0" not in str(caught.value)


@pytest.mark.parametrize("token", ["canary\n", "canary\r\nX-Other: 1", "canary\N{EURO SIGN}"])
def test_a_token_that_no_header_can_have_is_an_error_that_does_not_quote_it(token: str) -> None:
    with pytest.raises(ConfigError, match=f"^{TOKEN} contains line breaks") as caught:
        find(**{FULL: POD_IDENTITY, TOKEN: token})
    assert "canary" not in str(caught.value)


def test_the_region_of_a_profile_is_that_of_the_endpoint(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[profile region]\nregion = eu-central-1\n")
    other = find("region", **{FULL: POD_IDENTITY, "AWS_CONFIG_FILE": str(config)})
    assert other is not None
    assert other.region == "eu-central-1"


def test_url_and_token_are_the_identity_and_the_region_is_not() -> None:
    one = found(**{FULL: POD_IDENTITY, TOKEN_FILE: "/token", "AWS_REGION": "eu-west-1"})
    same = found(**{FULL: POD_IDENTITY, TOKEN_FILE: "/token", "AWS_DEFAULT_REGION": "eu-west-2"})
    assert one == same
    assert hash(one) == hash(same)
    assert (one.region, same.region) == ("eu-west-1", "eu-west-2")
    others = [
        found(**{FULL: POD_IDENTITY}),
        found(**{FULL: POD_IDENTITY, TOKEN_FILE: "/other"}),
        found(**{FULL: POD_IDENTITY, TOKEN: "a"}),
        found(**{FULL: POD_IDENTITY, TOKEN: "b"}),
        found(**{FULL: f"{POD_IDENTITY}/2", TOKEN_FILE: "/token"}),
    ]
    assert len({one, *others}) == 6
    assert one != POD_IDENTITY


def test_the_name_shows_no_secret_part_of_the_url_and_the_token_travels_nowhere() -> None:
    secret = found(**{FULL: f"https://example.com/a/{ID}/b?key=hunter2", TOKEN: "canary"})
    assert secret.name == "https://example.com/a/***/b"
    assert repr(secret) == "<ContainerEndpoint https://example.com/a/***/b>"
    assert secret.secrets == (ID, "key=hunter2")
    with pytest.raises(TypeError, match="does not pickle"):
        pickle.dumps(secret)
