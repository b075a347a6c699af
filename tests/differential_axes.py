"""The axes of the differential table: sources of the identity, the region and the endpoint."""

from __future__ import annotations

from differential import EKS_TOKEN, ROLE, TOKEN_FILE, Case, Row

OTHER_ROLE = "arn:aws:iam::123456789012:role/other"
SECOND_ROLE = "arn:aws:iam::210987654321:role/second"
NAMED = {"AWS_ROLE_SESSION_NAME": "named"}
IRSA = {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": TOKEN_FILE, **NAMED}
KEYS = {
    "role_arn": OTHER_ROLE,
    "web_identity_token_file": TOKEN_FILE,
    "role_session_name": "of-the-profile",
}
TARGET = {"role_arn": SECOND_ROLE, "role_session_name": "target", "source_profile": "app"}
FILES = {"default": {"output": "json"}, "profile app": KEYS, "profile target": TARGET}


def _with_files(**environ: str) -> Case:
    return Case(environ=environ, config=FILES)


#: Sources of role and token.
SOURCES: dict[str, Case] = {
    "variables": Case(environ=IRSA),
    "default profile": Case(config={"default": KEYS}),
    "credentials file": Case(shared={"default": KEYS}),
    "AWS_PROFILE": Case(environ={"AWS_PROFILE": "app"}, config=FILES),
    "AWS_DEFAULT_PROFILE": Case(environ={"AWS_DEFAULT_PROFILE": "app"}, config=FILES),
    "both profile variables": Case(
        environ={"AWS_DEFAULT_PROFILE": "app", "AWS_PROFILE": "target"}, config=FILES
    ),
    "explicit profile": Case(profile="app", config=FILES),
    "explicit profile overrides AWS_PROFILE": Case(
        environ={"AWS_PROFILE": "target"}, profile="app", config=FILES
    ),
    "variables override AWS_PROFILE": Case(environ={**IRSA, "AWS_PROFILE": "app"}, config=FILES),
    "explicit profile switches variables off": Case(environ=IRSA, profile="app", config=FILES),
    "token by variable, role by profile": Case(
        environ={"AWS_WEB_IDENTITY_TOKEN_FILE": TOKEN_FILE, "AWS_PROFILE": "app"}, config=FILES
    ),
    "role by variable, token by profile": Case(
        environ={"AWS_ROLE_ARN": ROLE, "AWS_PROFILE": "app"}, config=FILES
    ),
    "target role": _with_files(AWS_PROFILE="target"),
    "explicit target role": Case(profile="target", config=FILES),
    "target role overrides variables": _with_files(AWS_PROFILE="target", **IRSA),
    "two target roles": Case(
        environ={"AWS_PROFILE": "top"},
        config={**FILES, "profile top": {**TARGET, "role_arn": ROLE, "source_profile": "target"}},
    ),
}


def _profile(**keys: str) -> Case:
    return Case(config={"default": keys})


def _environ(**variables: str) -> Case:
    return Case(environ=variables)


#: Sources of a region. The order of irsa-creds is pod, profile, session, client.
REGIONS: dict[str, Case] = {
    "no region": Case(),
    "AWS_DEFAULT_REGION": _environ(AWS_DEFAULT_REGION="eu-west-1"),
    "AWS_REGION": Case(environ={"AWS_REGION": "eu-west-1"}, rows=frozenset({Row.AWS_REGION})),
    "both region variables": Case(
        environ={"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-2"},
        rows=frozenset({Row.AWS_REGION}),
    ),
    "profile's region": _profile(region="eu-west-1"),
    "session's region": Case(region="eu-west-1"),
    "client's region": Case(client_region="eu-west-1"),
    "default client config's region": Case(client_config={"region_name": "eu-west-1"}),
    "session's other region": Case(
        environ={"AWS_DEFAULT_REGION": "eu-west-1"},
        region="us-west-2",
        rows=frozenset({Row.OTHER_REGION}),
    ),
    "client's other region": Case(
        environ={"AWS_DEFAULT_REGION": "eu-west-1"},
        client_region="us-west-2",
        rows=frozenset({Row.OTHER_REGION}),
    ),
    "client for another region than AWS_REGION": Case(
        environ={"AWS_REGION": "eu-west-1"},
        client_region="us-west-2",
        rows=frozenset({Row.AWS_REGION, Row.OTHER_REGION}),
    ),
    "default client config's other region": Case(
        environ={"AWS_DEFAULT_REGION": "eu-west-1"},
        client_config={"region_name": "us-west-2"},
        rows=frozenset({Row.OTHER_REGION}),
    ),
    "client's and the profile's region": Case(
        config={"default": {"region": "eu-west-1"}},
        client_region="us-west-2",
        rows=frozenset({Row.OTHER_REGION}),
    ),
    "EKS issuer": Case(token=EKS_TOKEN, rows=frozenset({Row.ISSUER})),
    "EKS issuer and a region": Case(environ={"AWS_DEFAULT_REGION": "eu-west-1"}, token=EKS_TOKEN),
    "EKS issuer and a client": Case(
        token=EKS_TOKEN,
        client_region="us-west-2",
        rows=frozenset({Row.ISSUER, Row.OTHER_REGION}),
    ),
    "global": _environ(AWS_DEFAULT_REGION="aws-global"),
    "us-east-1": _environ(AWS_DEFAULT_REGION="us-east-1"),
    "opt-in region": _environ(AWS_DEFAULT_REGION="il-central-1"),
    "China": _environ(AWS_DEFAULT_REGION="cn-north-1"),
    "GovCloud": _environ(AWS_DEFAULT_REGION="us-gov-west-1"),
    "pseudo region": _environ(AWS_DEFAULT_REGION="fips-us-east-2"),
    "unknown region": _environ(AWS_DEFAULT_REGION="mars-north-1"),
}

_SECTION = {"services mine": {"sts": "\n  endpoint_url = http://services.example:1"}}
_SERVICES = Case(config={"default": {"services": "mine"}, **_SECTION})
_OTHER_SERVICES = Case(
    config={
        "default": {"services": "mine"},
        "services mine": {"s3": "\n  endpoint_url = http://s3.example"},
    }
)
_URL = {"AWS_ENDPOINT_URL": "http://all.example:2"}
_URL_STS = {"AWS_ENDPOINT_URL_STS": "https://sts.example/path"}

#: Sources of an endpoint, and settings that change AWS's own.
ENDPOINTS: dict[str, Case] = {
    "AWS_ENDPOINT_URL_STS": Case(environ=_URL_STS),
    "AWS_ENDPOINT_URL": Case(environ=_URL),
    "both endpoint variables": Case(environ={**_URL, **_URL_STS}),
    "empty AWS_ENDPOINT_URL_STS": Case(environ={**_URL, "AWS_ENDPOINT_URL_STS": ""}),
    "services section": _SERVICES,
    "services section without sts": _OTHER_SERVICES,
    "AWS_ENDPOINT_URL and a services section": _SERVICES | Case(environ=_URL),
    "profile's endpoint_url": _profile(endpoint_url="http://profile.example"),
    "endpoint_url and a services section": _SERVICES
    | _profile(endpoint_url="http://profile.example"),
    "ignored by variable": Case(environ={**_URL, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}),
    "ignored by profile": Case(
        environ=_URL, config={"default": {"ignore_configured_endpoint_urls": "true"}}
    ),
    "ignored by default client config": Case(
        environ=_URL, client_config={"ignore_configured_endpoint_urls": True}
    ),
    "not ignored by default client config": Case(
        environ={**_URL, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        client_config={"ignore_configured_endpoint_urls": False},
    ),
    "endpoint and FIPS": Case(environ={**_URL, "AWS_USE_FIPS_ENDPOINT": "true"}),
    "endpoint and dual stack": Case(environ={**_URL, "AWS_USE_DUALSTACK_ENDPOINT": "true"}),
    "endpoint with a query": _environ(AWS_ENDPOINT_URL="http://all.example/?a=b"),
    "legacy": _environ(AWS_STS_REGIONAL_ENDPOINTS="legacy"),
    "legacy by profile": _profile(sts_regional_endpoints="legacy"),
    "regional": _environ(AWS_STS_REGIONAL_ENDPOINTS="regional"),
    "legacy and FIPS": _environ(AWS_STS_REGIONAL_ENDPOINTS="legacy", AWS_USE_FIPS_ENDPOINT="true"),
    "legacy and an endpoint": Case(environ={**_URL, "AWS_STS_REGIONAL_ENDPOINTS": "legacy"}),
    "FIPS": _environ(AWS_USE_FIPS_ENDPOINT="true"),
    "FIPS, but not quite": _environ(AWS_USE_FIPS_ENDPOINT="1"),
    "FIPS by profile": _profile(use_fips_endpoint="true"),
    "FIPS by default client config": Case(client_config={"use_fips_endpoint": True}),
    "FIPS off by default client config": Case(
        environ={"AWS_USE_FIPS_ENDPOINT": "true"}, client_config={"use_fips_endpoint": False}
    ),
    "dual stack": _environ(AWS_USE_DUALSTACK_ENDPOINT="true"),
    "dual stack by profile": _profile(use_dualstack_endpoint="true"),
    "dual stack by default client config": Case(client_config={"use_dualstack_endpoint": True}),
    "FIPS and dual stack": _environ(
        AWS_USE_FIPS_ENDPOINT="true", AWS_USE_DUALSTACK_ENDPOINT="true"
    ),
}
