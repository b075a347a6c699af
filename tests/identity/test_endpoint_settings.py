"""The endpoint, certificates and proxies are botocore's, except for the order of regions."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from irsa_creds._errors import ConfigError
from irsa_creds._identity.endpoint_settings import (
    EndpointSettings,
    HttpSettings,
    find_endpoint,
    region_of_issuer,
    resolve_endpoint_settings,
)
from irsa_creds._identity.settings import EnvironSettings

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
[default]
[profile regional]
region = eu-west-3
ca_bundle = /profile.pem
use_fips_endpoint = true
[profile endpoint]
endpoint_url = http://profile:1
[profile services]
services = local
endpoint_url = http://profile:1
[profile services-without-sts]
services = s3-only
endpoint_url = http://profile:1
[profile gone]
services = gone
[profile flat]
services = flat
[profile ignoring]
endpoint_url = http://profile:1
ignore_configured_endpoint_urls = true
[services local]
sts =
  endpoint_url = http://services:1
[services s3-only]
s3 =
  endpoint_url = http://s3:1
[services flat]
sts = http://flat:1
"""


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Only the files of this test."""
    import os

    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)
    files = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "missing"),
    }
    (tmp_path / "config").write_text(CONFIG)
    for name, value in files.items():
        monkeypatch.setenv(name, value)
    return files


def resolved(environ: dict[str, str], profile: str | None = None, **more: Any) -> EndpointSettings:
    return resolve_endpoint_settings(EnvironSettings(environ, profile), **more)


REGIONS = {
    "argument": "region-1",
    "AWS_REGION": "region-2",
    "AWS_DEFAULT_REGION": "region-3",
    "profile": "eu-west-3",
    "session": "region-5",
    "issuer": "region-6",
    "client": "region-7",
}


@pytest.mark.parametrize("first", range(len(REGIONS)))
def test_the_first_source_of_a_region_takes_precedence(first: int, environ: dict[str, str]) -> None:
    known = dict(list(REGIONS.items())[first:])
    found = resolved(
        environ | {name: value for name, value in known.items() if name.startswith("AWS_")},
        profile="regional" if "profile" in known else None,
        region=known.get("argument"),
        session_region=known.get("session"),
        issuer=lambda: f"https://oidc.eks.{known.get('issuer', '!')}.amazonaws.com/id/X",
        client_region=known["client"],
    )
    assert found.region == next(iter(known.values()))
    assert found.region_identity == ("region-1" if "argument" in known else None)


def test_without_any_region_it_is_the_global_endpoint(environ: dict[str, str]) -> None:
    expected = EndpointSettings(
        endpoint_url=None,
        region=None,
        region_identity="aws-global",
        use_fips=False,
        use_dualstack=False,
        legacy_global=False,
    )
    assert resolved(environ) == expected
    assert resolved(environ, issuer=lambda: None) == expected
    assert resolved(environ | {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}) == expected
    assert resolved(environ, region="aws-global").region_identity == "aws-global"


def test_the_token_is_not_read_if_the_region_is_known(environ: dict[str, str]) -> None:
    def issuer() -> str:
        raise AssertionError

    assert resolved(environ, session_region="eu-west-1", issuer=issuer).region == "eu-west-1"


def test_a_bad_region_is_named_with_its_source(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"^AWS_DEFAULT_REGION is 'eu west'"):
        resolved(environ | {"AWS_DEFAULT_REGION": "eu west"})


@pytest.mark.parametrize("name", ["fips-us-east-1", "us-east-1-fips"])
def test_a_pseudo_region_means_fips(name: str, environ: dict[str, str]) -> None:
    found = resolved(environ, region=name)
    assert (found.region, found.region_identity, found.use_fips) == ("us-east-1", "us-east-1", True)


@pytest.mark.parametrize(
    ("region", "legacy_global"), [("eu-west-1", True), ("af-south-1", False), (None, True)]
)
def test_legacy_means_the_global_endpoint_for_old_regions_only(
    region: str | None, *, legacy_global: bool, environ: dict[str, str]
) -> None:
    legacy = environ | {"AWS_STS_REGIONAL_ENDPOINTS": "legacy"}
    found = resolved(legacy, region=region)
    assert found.legacy_global is legacy_global
    assert found.region_identity == ("aws-global" if legacy_global else region)
    assert not resolved(legacy | {"AWS_USE_FIPS_ENDPOINT": "true"}, region=region).legacy_global
    assert not resolved(
        legacy | {"AWS_USE_DUALSTACK_ENDPOINT": "true"}, region=region
    ).legacy_global


def test_an_endpoint_url_turns_the_variants_off(environ: dict[str, str]) -> None:
    environ |= {"AWS_STS_REGIONAL_ENDPOINTS": "legacy", "AWS_USE_DUALSTACK_ENDPOINT": "true"}
    found = resolved(environ, endpoint_url="http://rgw:1", region="fips-us-east-1")
    assert found == EndpointSettings("http://rgw:1", "us-east-1", "us-east-1", False, False, False)
    assert resolved(environ, endpoint_url="http://rgw:1").region_identity is None


@pytest.mark.parametrize(
    ("profile", "variables", "url", "source"),
    [
        (None, {}, None, ""),
        (None, {"AWS_ENDPOINT_URL": "http://all:1"}, "http://all:1", "AWS_ENDPOINT_URL"),
        ("endpoint", {}, "http://profile:1", "endpoint_url of the profile"),
        ("services", {}, "http://services:1", "endpoint_url of [services local]"),
        ("services-without-sts", {}, "http://profile:1", "endpoint_url of the profile"),
    ],
)
def test_the_endpoint_is_found_with_its_source(
    profile: str | None, variables: dict[str, str], url: str | None, source: str, **_: Any
) -> None:
    import os

    found = find_endpoint(EnvironSettings(os.environ | variables, profile))
    assert found == (None if url is None else (url, source))


def test_a_services_section_must_exist_and_be_nested(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"services = 'gone', but .* has no section"):
        resolved(environ, "gone")
    with pytest.raises(ConfigError, match=r"^sts in \[services flat\] is 'http://flat:1', but it"):
        resolved(environ, "flat")


def test_a_bad_endpoint_is_named_with_its_source(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"^AWS_ENDPOINT_URL_STS is 'rgw:1'"):
        resolved(environ | {"AWS_ENDPOINT_URL_STS": "rgw:1"})
    with pytest.raises(ConfigError, match=r"^The argument endpoint_url is ''"):
        resolved(environ, endpoint_url="")


@pytest.mark.parametrize(
    "profile",
    [None, "endpoint", "services", "services-without-sts", "gone", "ignoring"],
)
def test_the_endpoint_is_the_one_that_botocore_finds(
    profile: str | None, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.configprovider import ConfiguredEndpointProvider
    from botocore.exceptions import InvalidConfigError
    from botocore.session import Session

    def found_by_botocore(session: Session) -> Any:
        if session.get_config_variable("ignore_configured_endpoint_urls"):
            return None
        full, scoped = session.full_config, session.get_scoped_config()
        try:
            return ConfiguredEndpointProvider(full, scoped, "sts").provide()
        except InvalidConfigError:
            return ConfigError

    def found_by_us() -> Any:
        import os

        try:
            found = find_endpoint(EnvironSettings(os.environ, profile))
        except ConfigError:
            return ConfigError
        return None if found is None else found.value

    names = ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
    values = ((None, "", "http://sts:1"), (None, "", "http://all:1"), (None, "", "True", "no"))
    for combination in itertools.product(*values):
        with monkeypatch.context() as patch:
            for name, value in zip(names, combination, strict=True):
                if value is not None:
                    patch.setenv(name, value)
            assert found_by_us() == found_by_botocore(Session(profile=profile)), combination


@pytest.mark.parametrize(
    ("profile", "variables"),
    [
        (None, {"AWS_DEFAULT_REGION": "eu-central-1"}),
        (None, {}),
        (None, {"AWS_STS_REGIONAL_ENDPOINTS": "legacy", "AWS_DEFAULT_REGION": "us-east-1"}),
        (None, {"AWS_STS_REGIONAL_ENDPOINTS": "legacy", "AWS_DEFAULT_REGION": "af-south-1"}),
        (None, {"AWS_STS_REGIONAL_ENDPOINTS": "", "AWS_USE_DUALSTACK_ENDPOINT": "TRUE"}),
        (None, {"AWS_DEFAULT_REGION": "fips-us-gov-west-1", "AWS_CA_BUNDLE": "/var.pem"}),
        ("regional", {"AWS_USE_DUALSTACK_ENDPOINT": "1", "HTTPS_PROXY": "http://u:p@proxy:1"}),
        ("regional", {"HTTPS_PROXY": "proxy:1", "no_proxy": ".amazonaws.com"}),
        ("endpoint", {"AWS_USE_FIPS_ENDPOINT": "true", "REQUESTS_CA_BUNDLE": "/requests.pem"}),
    ],
)
def test_endpoint_certificates_and_proxies_are_the_same_as_botocores(
    profile: str | None, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.session import Session

    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    client = Session(profile=profile).create_client(
        "sts", config=Config(signature_version=UNSIGNED)
    )
    builtins = client._ruleset_resolver._builtins
    settings = EnvironSettings(os.environ, profile)
    found = resolve_endpoint_settings(settings)
    assert found.endpoint_url == builtins["SDK::Endpoint"]
    nowhere = "aws-global" if found.endpoint_url is None else None
    assert (found.region or nowhere) == builtins["AWS::Region"]
    assert found.use_fips == builtins["AWS::UseFIPS"]
    assert found.use_dualstack == builtins["AWS::UseDualStack"]
    assert found.legacy_global == builtins["AWS::STS::UseGlobalEndpoint"]
    session, http = client._endpoint.http_session, HttpSettings.resolve(settings)
    assert http.verify == session._verify
    assert http.proxies_for(client.meta.endpoint_url) == session._proxy_config._proxies
    client.close()


@pytest.mark.parametrize(
    ("iss", "region"),
    [
        ("https://oidc.eks.eu-central-1.amazonaws.com/id/0123ABCD", "eu-central-1"),
        ("https://oidc.eks.cn-north-1.amazonaws.com.cn/id/0123ABCD", "cn-north-1"),
        ("https://oidc.eks.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("https://oidc.eks.us-iso-east-1.c2s.ic.gov/id/0123ABCD", "us-iso-east-1"),
        ("https://oidc-eks.eu-west-1.api.aws/id/0123ABCD", "eu-west-1"),
        ("https://oidc-eks.cn-north-1.api.amazonwebservices.com.cn/id/0123", "cn-north-1"),
        ("https://oidc.eks.eu-central-1.amazonaws.com.evil.example/id/1", None),
        ("https://evil.example/oidc.eks.eu-central-1.amazonaws.com", None),
        ("http://oidc.eks.eu-central-1.amazonaws.com/id/1", None),
        ("https://s3.eu-central-1.amazonaws.com/bucket", None),
        ("https://kubernetes.default.svc.cluster.local", None),
        ("", None),
    ],
)
def test_the_url_of_an_eks_issuer_has_the_region(iss: str, region: str | None) -> None:
    assert region_of_issuer(iss) == region


def test_requests_ca_bundle_comes_after_the_profiles(environ: dict[str, str]) -> None:
    environ |= {"REQUESTS_CA_BUNDLE": "/requests.pem"}
    assert HttpSettings.resolve(EnvironSettings(environ)).verify == "/requests.pem"
    assert HttpSettings.resolve(EnvironSettings(environ, "regional")).verify == "/profile.pem"
    environ |= {"AWS_CA_BUNDLE": "/variable.pem"}
    assert HttpSettings.resolve(EnvironSettings(environ, "regional")).verify == "/variable.pem"


@pytest.mark.parametrize(
    ("name", "source"),
    [("AWS_CA_BUNDLE", "AWS_CA_BUNDLE (or the profile"), ("REQUESTS_CA_BUNDLE", "REQUESTS_CA")],
)
def test_an_empty_ca_bundle_is_an_error(name: str, source: str, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        HttpSettings.resolve(EnvironSettings(environ | {name: ""}))
    assert str(caught.value).startswith(source)


def test_given_proxies_ignore_no_proxy_as_in_botocore(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("HTTPS_PROXY", "http://environment:1")
    settings = EnvironSettings(environ)
    given = HttpSettings.resolve(settings, proxies={"https": "http://given:1"})
    assert given.proxies_for("https://sts.amazonaws.com") == {"https": "http://given:1"}
    assert HttpSettings.resolve(settings).proxies_for("https://sts.amazonaws.com") == {}
    assert HttpSettings.resolve(settings, proxies={}).proxies_for("https://sts.amazonaws.com") == {}


def test_different_http_settings_are_unequal(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = EnvironSettings(environ)
    plain = HttpSettings.resolve(settings)
    monkeypatch.setenv("HTTPS_PROXY", "http://environment:1")
    others = {
        HttpSettings.resolve(settings),
        HttpSettings.resolve(
            settings, proxies={"https": "http://given:1", "http": "http://given:2"}
        ),
        HttpSettings.resolve(settings, client_cert=("/cert.pem", "/key.pem")),
        HttpSettings.resolve(settings, proxies_config={"proxy_use_forwarding_for_https": True}),
    }
    assert len(others | {plain}) == 5
    assert all(pickle.loads(pickle.dumps(http)) == http for http in others)


@pytest.mark.parametrize("url", ["http://user:p@ss@proxy:3128", "user:p@ss@proxy:3128"])
def test_a_proxys_password_is_not_shown(url: str) -> None:
    http = HttpSettings(proxies=(("https", url),))
    assert repr(http) == "HttpSettings(verify=True, proxies={'https': '***@proxy:3128'})"
    assert "direct:1" in repr(HttpSettings(environment_proxies=(("https", "direct:1"),)))


def test_without_a_proxy_nothing_is_imported_to_find_one() -> None:
    program = (
        "import sys; from irsa_creds._identity.endpoint_settings import HttpSettings; "
        "from irsa_creds._identity.settings import EnvironSettings; "
        "HttpSettings.resolve(EnvironSettings({})); "
        "print('urllib.request' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.split() == [b"False"]


def test_on_macos_and_windows_the_system_names_the_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"https": "http://system:1"})
    found = HttpSettings.resolve(EnvironSettings({}))
    assert found.environment_proxies == (("https", "http://system:1"),)
