"""Accepted values, and errors of one clear sentence that names source and value."""

from __future__ import annotations

import functools
import json
import pathlib
import re
from typing import Any

import pytest

from irsa_creds._errors import ConfigError
from irsa_creds._identity import validation

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl"
JWE = "eyJhbGciOiJkaXIifQ..canary-vector.canary-cipher.canary-tag"


def error_of(check: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        check(*args, **kwargs)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < 500
    assert caught.value.__cause__ is None
    return message


@pytest.mark.parametrize(
    "check",
    [
        validation.session_name,
        validation.token_file,
        validation.region,
        validation.endpoint_url,
        validation.ca_bundle,
    ],
)
@pytest.mark.parametrize("value", [7, {"nested": "section"}, b"bytes"])
def test_values_that_are_not_text_are_a_config_error(check: Any, value: Any) -> None:
    assert "SOURCE is " in error_of(check, value, "SOURCE")


@pytest.mark.parametrize("name", ["ab", "n" * 64, "a_b+c=d,e.f@g-h"])
def test_a_valid_session_name_passes(name: str) -> None:
    assert validation.session_name(name, "AWS_ROLE_SESSION_NAME") == name


@pytest.mark.parametrize("name", ["", "a", "n" * 65, "a b", "a/b", "ab\n", "ä-b"])
def test_an_invalid_session_name_is_shown_with_its_source(name: str) -> None:
    message = error_of(validation.session_name, name, "AWS_ROLE_SESSION_NAME")
    assert message.startswith(f"AWS_ROLE_SESSION_NAME is {name!r}")
    assert "2 to 64" in message


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("app-7d9c5b8f6d-x2x7q", "app-7d9c5b8f6d-x2x7q"),
        ("a b/c:d", "a-b-c-d"),
        ("knoten-ü", "knoten--"),
        ("h" * 80, "h" * 64),
        ("x", "x-irsa"),
        ("", "irsa"),
    ],
)
def test_a_host_name_becomes_a_valid_session_name(host: str, name: str) -> None:
    assert validation.session_name_from(host) == name
    assert validation.session_name(name, "") == name


@pytest.mark.parametrize(
    ("value", "aws", "seconds"),
    [(900, True, 900), (43_200, True, 43_200), (" 3600 ", True, 3600), ("604800", False, 604_800)],
)
def test_a_duration_may_be_a_number_or_its_text(value: Any, *, aws: bool, seconds: int) -> None:
    assert validation.duration(value, "duration_seconds", aws=aws) == seconds


@pytest.mark.parametrize(
    ("value", "aws", "trouble"),
    [
        (899, True, "900 to 43200 seconds"),
        (43_201, True, "900 to 43200 seconds"),
        ("60", True, "900 to 43200 seconds"),
        (0, False, "a positive number"),
        ("-5", False, "a positive number"),
        ("1h", True, "a whole number of seconds"),
        ("", True, "a whole number of seconds"),
        ("9" * 5000, True, "a whole number of seconds"),
        (3600.5, True, "a whole number of seconds"),
        (True, False, "a whole number of seconds"),
    ],
)
def test_a_duration_out_of_bounds_is_an_error(value: Any, *, aws: bool, trouble: str) -> None:
    message = error_of(validation.duration, value, "duration_seconds", aws=aws)
    assert message.startswith("duration_seconds is ")
    assert trouble in message


def test_a_policy_given_as_text_is_sent_as_it_is() -> None:
    text = '{ "Version": "2012-10-17",\n "Statement": [] }'
    assert validation.policy(text, "policy") == text


def test_a_policy_given_as_a_mapping_is_written_in_its_shortest_form() -> None:
    text = validation.policy({"Version": "2012-10-17", "Statement": ["ü"]}, "policy")
    assert text == r'{"Statement":["\u00fc"],"Version":"2012-10-17"}'


@pytest.mark.parametrize(
    ("value", "trouble"),
    [
        (json.dumps({"Statement": "x" * 2100}), "has 2,117 characters, but STS accepts 2,048"),
        ({"Statement": "x" * 2100}, "characters, but STS accepts 2,048"),
        (7, "it is not a JSON object; give an IAM policy"),
        ("not json", "it is not JSON (Expecting value"),
        ("[" * 100_000, "it is not JSON ("),
        ("[]", "it is not a JSON object"),
        ("", "it is not JSON"),
        ({"Statement": {1, 2}}, "it is not JSON (Object of type set"),
        ('{"Statement": "\u4e2d"}', r"contains '\u4e2d', but STS accepts characters up to U+00FF"),
    ],
)
def test_an_invalid_policy_is_an_error(value: Any, trouble: str) -> None:
    assert trouble in error_of(validation.policy, value, "The argument policy")


def test_the_token_file_may_be_a_path_object() -> None:
    assert validation.token_file(pathlib.Path("/var/token"), "token_file") == "/var/token"


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_an_invalid_path_is_an_error(path: str) -> None:
    assert "which is not a path" in error_of(validation.token_file, path, "token_file")


@pytest.mark.parametrize("value", [b"s.canary", {"canary": 1}])
def test_a_value_that_is_not_a_path_is_named_by_its_type(value: Any) -> None:
    assert "canary" not in error_of(validation.token_file, value, "token_file")


@pytest.mark.parametrize(
    "token",
    [
        JWT,
        JWT + "\n",
        f'"{JWT}"',
        f"Bearer {JWT}",
        f"token={JWT}",
        f"/var/run/{JWT}",
        JWT.rpartition(".")[0],
        JWT + "\0",
        JWE,
        f"{JWT}{'canary' * 1_000}",
    ],
)
def test_a_token_given_as_a_path_is_an_error_that_does_not_show_it(token: str) -> None:
    message = error_of(validation.token_file, token, "AWS_WEB_IDENTITY_TOKEN_FILE")
    assert "AWS_WEB_IDENTITY_TOKEN_FILE contains a token" in message
    assert not re.search("eyJ|c2lnbmF0dXJl|canary", message)


class Fetcher:
    def fetch(self) -> str:
        return ""

    async def afetch(self) -> str:
        return ""

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None  # type: ignore[assignment]

    def __call__(self) -> str:
        return ""


class AsyncFetcher:
    async def __call__(self) -> str:
        return ""


@pytest.mark.parametrize("call", [lambda: "", Fetcher().fetch, functools.partial(str, "x"), str])
def test_any_ordinary_callable_may_return_the_token(call: Any) -> None:
    assert validation.token_callable(call, "token") is call


@pytest.mark.parametrize(
    ("call", "trouble"),
    [
        ("/var/token", "is a str, but it must be a callable"),
        (Fetcher().afetch, "is a coroutine function"),
        (functools.partial(Fetcher().afetch), "is a coroutine function"),
        (AsyncFetcher(), "is a coroutine function"),
        (Fetcher(), "is a Fetcher, which cannot be hashed"),
    ],
)
def test_other_objects_are_not_callables_for_tokens(call: Any, trouble: str) -> None:
    assert trouble in error_of(validation.token_callable, call, "The argument token")


@pytest.mark.parametrize("name", ["eu-central-1", "aws-global", "US-EAST-1", "r" * 63])
def test_a_host_label_may_be_a_region(name: str) -> None:
    assert validation.region(name, "AWS_REGION") == name


@pytest.mark.parametrize(
    "name", ["", "-eu", "eu-", "123", "eu.central", "eu central", "'eu'", "eu\n", "r" * 64, "eu/@x"]
)
def test_an_invalid_host_label_is_not_a_region(name: str) -> None:
    assert f"AWS_REGION is {name!r}" in error_of(validation.region, name, "AWS_REGION")


@pytest.mark.parametrize(
    "url",
    [
        "https://sts.eu-central-1.amazonaws.com",
        "http://127.0.0.1:9000/path",
        "http://[::1]:8080",
        "HTTPS://RGW.example.",
        "http://localhost",
    ],
)
def test_http_urls_with_a_host_are_endpoints(url: str) -> None:
    assert validation.endpoint_url(url, "AWS_ENDPOINT_URL_STS") == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sts.amazonaws.com",
        "ftp://host",
        "https://",
        "https:///path",
        "http://a b",
        "http://a_b",
        "http://host:port",
        "http://host:99999",
        "http://[::1",
        "http://h\n",
        "http://" + "h." * 200,
    ],
)
def test_other_urls_are_an_error(url: str) -> None:
    message = error_of(validation.endpoint_url, url, "AWS_ENDPOINT_URL_STS")
    assert "begins with http:// or https:// and names a host" in message


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@rgw",
        "https://user:secret/x@rgw",
        "https://user:1/secret@rgw",
        "https://user:se cret@rgw",
        "https://secret@rgw",
        "user:secret@rgw",
        "ftp://user:se@cret@rgw/",
    ],
)
def test_a_password_in_an_endpoint_is_an_error_that_does_not_show_it(url: str) -> None:
    message = error_of(validation.endpoint_url, url, "AWS_ENDPOINT_URL_STS")
    assert message.startswith(
        "AWS_ENDPOINT_URL_STS contains an '@', as URLs with a user and password"
    )
    assert "secret" not in message
    assert "user:" not in message
    assert "rgw" not in message


@pytest.mark.parametrize(
    ("url", "aws"),
    [
        ("https://sts.amazonaws.com", True),
        ("https://sts.eu-central-1.amazonaws.com:443/", True),
        ("https://sts.cn-north-1.amazonaws.com.cn", True),
        ("https://sts-fips.us-east-1.api.aws.", True),
        ("https://vpce-0a-1b.sts.us-east-1.vpce.amazonaws.com", True),
        ("https://STS.AMAZONAWS.COM", True),
        ("https://ceph-1.eu-central-1.elb.amazonaws.com", False),
        ("https://sts.example.com", False),
        ("https://sts.evilamazonaws.com", False),
        ("http://127.0.0.1:8000", False),
    ],
)
def test_the_host_shows_whether_an_endpoint_is_awss(url: str, *, aws: bool) -> None:
    assert validation.is_aws_endpoint(url) is aws


@pytest.mark.parametrize("value", [True, False, "/etc/ca.pem"])
def test_a_ca_bundle_is_a_path_or_a_bool(value: Any) -> None:
    assert validation.ca_bundle(value, "AWS_CA_BUNDLE") == value


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_ca_bundle_never_turns_verification_off(value: str) -> None:
    assert f"AWS_CA_BUNDLE is {value!r}" in error_of(validation.ca_bundle, value, "AWS_CA_BUNDLE")


@pytest.mark.parametrize(
    ("value", "legacy"), [(None, False), ("", False), ("regional", False), ("legacy", True)]
)
def test_only_legacy_is_legacy(value: Any, *, legacy: bool) -> None:
    assert validation.legacy(value, "AWS_STS_REGIONAL_ENDPOINTS") is legacy


@pytest.mark.parametrize("value", ["Legacy", "global", {}])
def test_regional_and_legacy_are_the_only_kinds(value: Any) -> None:
    message = error_of(validation.legacy, value, "AWS_STS_REGIONAL_ENDPOINTS")
    assert "must be 'regional' or 'legacy'" in message


@pytest.mark.parametrize(
    "value", ["true", "True", "TRUE", "false", "1", "yes", "", True, False, None]
)
def test_booleans_are_read_as_in_botocore(value: Any) -> None:
    from botocore.utils import ensure_boolean

    assert validation.boolean(value) == ensure_boolean(value)
