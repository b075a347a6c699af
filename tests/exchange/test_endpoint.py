"""The URL is the one that botocore's own STS client would call, without making one."""

from __future__ import annotations

import itertools
import logging
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config as ClientConfig

from irsa_creds._errors import ConfigError
from irsa_creds._exchange import endpoint
from irsa_creds._exchange.endpoint import endpoint_url
from irsa_creds._identity.config import Config
from sts_server import ROLE, credentials_xml

if TYPE_CHECKING:
    from collections.abc import Callable

REGIONS = [
    None,
    "us-east-1",
    "eu-west-1",
    "ap-northeast-1",
    "af-south-1",
    "cn-north-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "eu-isoe-west-1",
    "eusc-de-east-1",
    "us-east-2",
    "mars-central-1",
]
SUFFIXES = {
    "eusc-de-east-1": "amazonwebservices.eu",
    "eu-isoe-west-1": "cloud-aws.adc-e.uk",
}


def config(region: str | None = None, **values: Any) -> Config:
    return Config(role_arn=ROLE, session_name="pod", region=region, **values)


@cache
def session_of(*, legacy: bool) -> Any:
    session = botocore.session.Session()
    session.set_config_variable("sts_regional_endpoints", "legacy" if legacy else "regional")
    return session


def url_of_a_client(region: str | None, *, fips: bool, dualstack: bool, legacy: bool) -> str:
    """Return where botocore's own client sends the request; nothing is sent."""
    client = session_of(legacy=legacy).create_client(
        "sts",
        region_name=region,
        config=ClientConfig(
            signature_version=botocore.UNSIGNED,
            use_fips_endpoint=fips,
            use_dualstack_endpoint=dualstack,
        ),
    )
    urls: list[str] = []

    def answer(request: Any, **_: object) -> AWSResponse:
        urls.append(request.url)
        return AWSResponse(
            request.url, 200, {}, Mock(stream=lambda: iter([credentials_xml().encode()]))
        )

    client.meta.events.register("before-send.sts.AssumeRoleWithWebIdentity", answer)
    client.assume_role_with_web_identity(
        RoleArn=ROLE, RoleSessionName="pod", WebIdentityToken="token"
    )
    return urls[0]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Config) -> str:
        raise AssertionError

    monkeypatch.setattr("irsa_creds._exchange.endpoint._by_client", refuse)


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize(
    ("fips", "dualstack", "legacy"), list(itertools.product([False, True], repeat=3))
)
def test_the_url_is_that_of_a_real_client(
    region: str | None, *, fips: bool, dualstack: bool, legacy: bool, no_client: None
) -> None:
    ours = endpoint_url(
        config(region, use_fips=fips, use_dualstack=dualstack, legacy_global=legacy)
    )
    try:
        theirs = url_of_a_client(region, fips=fips, dualstack=dualstack, legacy=legacy)
    except botocore.exceptions.EndpointVariantError:
        # A client first looks into an older table, which lacks dual stack in two partitions.
        assert dualstack
        theirs = f"https://sts{'-fips' if fips else ''}.{region}.api.{SUFFIXES[region or '']}/"
    assert ours + "/" == theirs


def test_a_custom_endpoint_is_taken_as_it_is() -> None:
    url = "http://ceph.example:7480/sts"
    assert endpoint_url(config("eu-west-1", endpoint_url=url, use_fips=True)) == url


@pytest.mark.parametrize(
    ("region", "legacy"),
    [(None, False), ("eu-west-1", False), ("eu-west-1", True), ("cn-north-1", True)],
)
@pytest.mark.parametrize("dualstack", [False, True])
def test_the_temporary_client_has_the_same_endpoint(
    region: str | None, *, legacy: bool, dualstack: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # None of these may reach the client: they are `Config`'s affair.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://elsewhere.example")
    monkeypatch.setenv("AWS_PROFILE", "missing")
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "regional" if legacy else "legacy")
    asked = config(region, use_dualstack=dualstack, legacy_global=legacy)
    assert endpoint._by_client(asked) == endpoint._by_rules(asked)


PROGRAM = """
import sys
import botocore.client, botocore.session
{change}
from irsa_creds._exchange import endpoint
from irsa_creds._identity.config import Config
print(endpoint.endpoint_url(Config(role_arn="", session_name="pod", region="eu-west-1")))
print(hasattr(endpoint, "EndpointProvider"))
"""


@pytest.mark.parametrize(
    "change",
    [
        "sys.modules['botocore.endpoint_provider'] = None",
        "del botocore.endpoint_provider.EndpointProvider",
    ],
)
def test_a_client_finds_the_endpoint_if_the_import_of_a_private_name_fails(change: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(change=change)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["https://sts.eu-west-1.amazonaws.com", "False"]


def hide_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("irsa_creds._exchange.endpoint.EndpointProvider")


def change_constructor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint_provider.EndpointProvider.__init__", lambda _: None)


def change_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "botocore.endpoint_provider.EndpointProvider.resolve_endpoint", lambda _, endpoint: None
    )


def rename_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irsa_creds._exchange.endpoint.RULE_SET", "sts/2011-06-15/rules")


def rename_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irsa_creds._exchange.endpoint.PARTITIONS", "divisions")


@pytest.mark.parametrize("change", [hide_class, change_method])
def test_a_client_replaces_a_missing_private_name(
    change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Config] = []

    def by_client(asked: Config) -> str:
        calls.append(asked)
        return "https://client.example"

    monkeypatch.setattr("irsa_creds._exchange.endpoint._by_client", by_client)
    change(monkeypatch)
    assert endpoint_url(config("eu-west-1")) == "https://client.example"
    assert len(calls) == 1


@pytest.mark.parametrize("change", [change_constructor, rename_rules, rename_partitions])
def test_a_client_replaces_a_changed_private_signature(
    change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    test_a_client_replaces_a_missing_private_name(change, monkeypatch)


def test_a_foolish_data_path_leaves_botocores_own_rules(
    monkeypatch: pytest.MonkeyPatch, no_client: None
) -> None:
    monkeypatch.setenv("AWS_DATA_PATH", "/nowhere")
    assert endpoint_url(config("eu-west-1")) == "https://sts.eu-west-1.amazonaws.com"


def test_a_missing_endpoint_is_a_config_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("irsa_creds._exchange.endpoint.RULE_SET", "nothing")
    with pytest.raises(ConfigError, match=r"region not a region with FIPS on and dual stack off:"):
        endpoint_url(config("not a region", use_fips=True))


def test_the_error_has_no_cause_from_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irsa_creds._exchange.endpoint.RULE_SET", "nothing")
    with pytest.raises(ConfigError) as caught:
        endpoint_url(config("not a region"))
    assert caught.value.__context__ is None


def test_asking_for_the_url_warns_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        endpoint_url(config("eu-west-1", legacy_global=True))
    assert not caplog.records
