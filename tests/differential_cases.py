"""The cases of the differential table: single ones, and products of the axes."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from differential import OTHER_TOKEN, OUTCOMES, REWRITES, ROLE, TOKEN_FILE, Case, Row
from differential_axes import (
    ENDPOINTS,
    FILES,
    IRSA,
    KEYS,
    NAMED,
    REGIONS,
    SECOND_ROLE,
    SOURCES,
    TARGET,
)
from fake_network import ErrorResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STATIC = {"aws_access_key_id": "AKIDSTATIC", "aws_secret_access_key": "static-secret"}
_CHAIN_KEYS = {"AWS_ACCESS_KEY_ID": "AKIDSTATIC", "AWS_SECRET_ACCESS_KEY": "static-secret"}
# Both check that the file exists.
_CA = TOKEN_FILE
_PROXY = {"HTTPS_PROXY": "http://proxy.example:3128"}


def _chained(rows: frozenset[Row] = frozenset(), **profiles: Mapping[str, str]) -> Case:
    """Return a case of the profile `target`, with those profiles instead of the usual ones."""
    config = {**FILES, **{f"profile {name}": keys for name, keys in profiles.items()}}
    return Case(environ={"AWS_PROFILE": "target"}, config=config, rows=rows)


#: Cases that change one setting each.
SINGLES: dict[str, Case] = {
    # Which provider of the chain takes precedence.
    "static variables take precedence": Case(environ={**IRSA, **_CHAIN_KEYS}),
    "explicit profile overrides static variables": Case(
        environ=_CHAIN_KEYS, profile="app", config=FILES
    ),
    "web identity overrides static keys of the profile": Case(
        environ=IRSA, config={"default": STATIC}
    ),
    "web identity and static keys in one profile": Case(config={"default": {**KEYS, **STATIC}}),
    "static keys of an explicit profile": Case(
        environ=IRSA, profile="keys", config={"profile keys": STATIC}
    ),
    "static keys of the credentials file": Case(shared={"default": STATIC}),
    "web identity overrides a process": Case(
        environ=IRSA, config={"default": {"credential_process": "false"}}
    ),
    "web identity overrides a container": Case(
        environ={**IRSA, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/credentials"}
    ),
    "nothing at all": Case(),
    "source_profile beside a token is no target role": Case(
        config={"default": {**KEYS, "source_profile": "app"}, "profile app": STATIC}
    ),
    "target role from static keys": Case(
        environ={**IRSA, "AWS_PROFILE": "target"},
        config={"profile target": TARGET, "profile app": STATIC},
    ),
    "target role from a profile without a token": Case(
        environ={"AWS_PROFILE": "target"},
        config={"profile target": TARGET, "profile app": {"a": "b"}},
    ),
    "target role from a missing profile": Case(
        environ={"AWS_PROFILE": "target"}, config={"profile target": TARGET}
    ),
    "target role from a web identity beside static keys": _chained(app={**KEYS, **STATIC}),
    "target role from a second role beside static keys": _chained(
        target={**TARGET, "source_profile": "two"}, two={**TARGET, **STATIC}
    ),
    "target role with static keys of its own": _chained(target={**TARGET, **STATIC}),
    "target role by a credential source": _chained(
        target={"role_arn": SECOND_ROLE, "credential_source": "Environment"}
    )
    | Case(environ=_CHAIN_KEYS),
    "target role by two sources": _chained(target={**TARGET, "credential_source": "Environment"}),
    "target role by no source": _chained(target={"role_arn": SECOND_ROLE}),
    "target role from itself": _chained(target={**TARGET, "source_profile": "target"}),
    "target roles in a circle": _chained(
        target={**TARGET, "source_profile": "two"}, two={**TARGET, "source_profile": "target"}
    ),
    "target role from a half set profile": _chained(
        app={"web_identity_token_file": TOKEN_FILE}, rows=frozenset({Row.HALF_SET})
    ),
    "target role from an empty token": _chained(app={**KEYS, "web_identity_token_file": ""}),
    "target role of the default profile": Case(config={"default": TARGET, "profile app": KEYS}),
    "target role with an external id": _chained(target={**TARGET, "external_id": "of/the:owner"}),
    "target role with a duration": _chained(target={**TARGET, "duration_seconds": "1800"}),
    "target role with a duration that is no number": _chained(
        target={**TARGET, "duration_seconds": "an hour"}
    ),
    "target role with more than an hour": _chained(
        target={**TARGET, "duration_seconds": "3601"}, rows=frozenset({Row.CAUGHT_EARLY})
    ),
    "target role with more than an hour, not at AWS": _chained(
        target={**TARGET, "duration_seconds": "3601"}, rows=frozenset({Row.NO_REGION})
    )
    | Case(environ={"AWS_ENDPOINT_URL_STS": "http://ceph.example:8000"}),
    "target role to what is no role": _chained(
        target={**TARGET, "role_arn": "arn:aws:iam::123456789012:policy/x"},
        rows=frozenset({Row.CAUGHT_EARLY}),
    ),
    "target role without a session name": _chained(
        target={k: v for k, v in TARGET.items() if k != "role_session_name"},
        rows=frozenset({Row.SESSION_NAME}),
    ),
    "target role without a session name, but a variable of one": _chained(
        target={k: v for k, v in TARGET.items() if k != "role_session_name"},
        rows=frozenset({Row.SESSION_NAME}),
    )
    | Case(environ=IRSA),
    "target role from a web identity with a duration": _chained(
        app={**KEYS, "duration_seconds": "7200"}, rows=frozenset({Row.DURATION})
    ),
    # Incomplete or empty settings.
    "role missing": Case(
        environ={"AWS_WEB_IDENTITY_TOKEN_FILE": TOKEN_FILE}, rows=frozenset({Row.HALF_SET})
    ),
    "role empty": Case(environ={**IRSA, "AWS_ROLE_ARN": ""}, rows=frozenset({Row.HALF_SET})),
    "role missing in an explicit profile": Case(
        environ=IRSA,
        profile="app",
        config={"profile app": {"web_identity_token_file": TOKEN_FILE}},
        rows=frozenset({Row.HALF_SET}),
    ),
    "role alone": Case(environ={"AWS_ROLE_ARN": ROLE}, rows=frozenset({Row.ROLE_ALONE})),
    "empty token variable hides the profile's": Case(
        environ={"AWS_WEB_IDENTITY_TOKEN_FILE": ""}, config={"default": KEYS}
    ),
    "variables of a session name only": Case(environ=NAMED),
    # The token.
    "token missing": Case(environ=IRSA, token=None, rows=frozenset({Row.TOKEN})),
    "token empty": Case(environ=IRSA, token="", rows=frozenset({Row.TOKEN})),
    "token blank": Case(environ=IRSA, token=" \n", rows=frozenset({Row.TOKEN})),
    "token ends in a newline": Case(
        environ=IRSA, token=f"{OTHER_TOKEN}\n", rows=frozenset({Row.TOKEN})
    ),
    "opaque token": Case(environ=IRSA, token="an-opaque-token"),
    # Parameters of the request.
    "no session name": Case(
        environ={k: v for k, v in IRSA.items() if k not in NAMED},
        rows=frozenset({Row.SESSION_NAME}),
    ),
    "no session name in an explicit profile": Case(
        environ=IRSA,
        profile="app",
        config={"profile app": {k: v for k, v in KEYS.items() if k != "role_session_name"}},
        rows=frozenset({Row.SESSION_NAME}),
    ),
    "duration in the profile": Case(
        config={"default": {**KEYS, "duration_seconds": "7200"}}, rows=frozenset({Row.DURATION})
    ),
    "duration in the profile, identity by variables": Case(
        environ=IRSA,
        config={"default": {"duration_seconds": "900"}},
        rows=frozenset({Row.DURATION}),
    ),
    "role with a path": Case(
        environ={**IRSA, "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/a/b/c"}
    ),
    "role of China": Case(
        environ={**IRSA, "AWS_ROLE_ARN": "arn:aws-cn:iam::123456789012:role/app"}
    ),
    "role of Ceph": Case(
        environ={**IRSA, "AWS_ROLE_ARN": "arn:aws:iam:::role/app"}
        | {"AWS_ENDPOINT_URL_STS": "http://ceph.example:8000"}
    ),
    # The user agent.
    "application id": Case(environ={**IRSA, "AWS_SDK_UA_APP_ID": "my app/1"}),
    "application id of the profile": Case(
        environ=IRSA, config={"default": {"sdk_ua_app_id": "of-the-profile"}}
    ),
    "application id of the default client config": Case(
        environ={**IRSA, "AWS_SDK_UA_APP_ID": "app"},
        client_config={"user_agent_appid": "of-code"},
    ),
    "target role and an application id": _chained() | Case(environ={"AWS_SDK_UA_APP_ID": "app"}),
    # Certificates and proxies.
    "AWS_CA_BUNDLE": Case(environ={**IRSA, "AWS_CA_BUNDLE": _CA}),
    "REQUESTS_CA_BUNDLE": Case(environ={**IRSA, "REQUESTS_CA_BUNDLE": _CA}),
    "both CA bundles": Case(
        environ={**IRSA, "AWS_CA_BUNDLE": _CA, "REQUESTS_CA_BUNDLE": "/missing"}
    ),
    "ca_bundle of the profile": Case(environ=IRSA, config={"default": {"ca_bundle": _CA}}),
    "proxy": Case(environ={**IRSA, **_PROXY}),
    "proxy for another scheme": Case(environ={**IRSA, "HTTP_PROXY": "http://proxy.example"}),
    "proxy bypassed": Case(
        environ={**IRSA, **_PROXY, "NO_PROXY": "169.254.169.254,.amazonaws.com"}
    ),
    "proxy of the default client config": Case(
        environ={**IRSA, **_PROXY, "NO_PROXY": ".amazonaws.com"},
        client_config={"proxies": {"https": "http://other.example:1"}},
    ),
    "proxy settings of the default client config": Case(
        environ={**IRSA, **_PROXY}, client_config={"proxies_config": {"proxy_ca_bundle": "/p.pem"}}
    ),
    "client certificate": Case(environ=IRSA, client_config={"client_cert": ("/c.pem", "/k.pem")}),
    # Errors.
    "AWS_PROFILE names no profile": Case(environ={**IRSA, "AWS_PROFILE": "missing"}),
    "AWS_PROFILE names no profile, no token": Case(environ={"AWS_PROFILE": "missing"}),
    "explicit profile is missing": Case(environ=IRSA, profile="missing"),
    "services section is missing": Case(environ=IRSA, config={"default": {"services": "gone"}}),
    "sts_regional_endpoints misspelt": Case(
        environ={**IRSA, "AWS_STS_REGIONAL_ENDPOINTS": "regionally"},
        rows=frozenset({Row.CAUGHT_EARLY}),
    ),
    "endpoint is no URL": Case(
        environ={**IRSA, "AWS_ENDPOINT_URL": "sts.example"}, rows=frozenset({Row.CAUGHT_EARLY})
    ),
    "region is none": Case(
        environ={**IRSA, "AWS_DEFAULT_REGION": "eu west"}, rows=frozenset({Row.CAUGHT_EARLY})
    ),
    "denied": Case(environ=IRSA, denial=ErrorResponse("AccessDenied", status=403)),
    "token rejected": Case(environ=IRSA, denial=ErrorResponse("InvalidIdentityToken")),
    "token expired": Case(environ=IRSA, denial=ErrorResponse("ExpiredTokenException")),
    "target role denied": Case(
        environ={"AWS_PROFILE": "target"},
        config=FILES,
        denial=ErrorResponse("AccessDenied", status=403),
    ),
    "unreachable": Case(
        environ={**IRSA, "AWS_MAX_ATTEMPTS": "1"}, down=True, rows=frozenset({Row.RETRIES})
    ),
    "role ARN is a policy's": Case(
        environ={**IRSA, "AWS_ROLE_ARN": "arn:aws:iam::123456789012:policy/x"},
        denial=ErrorResponse("ValidationError"),
        rows=frozenset({Row.CAUGHT_EARLY}),
    ),
    "session name is invalid": Case(
        environ={**IRSA, "AWS_ROLE_SESSION_NAME": "two words"},
        denial=ErrorResponse("ValidationError"),
        rows=frozenset({Row.CAUGHT_EARLY}),
    ),
}

_FEW_REGIONS = (
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "profile's region",
    "session's region",
    "client's other region",
    "EKS issuer",
)
_FEW_ENDPOINTS = (
    "AWS_ENDPOINT_URL_STS",
    "services section",
    "profile's endpoint_url",
    "ignored by profile",
    "legacy",
    "FIPS",
    "FIPS and dual stack",
)

_OWN_ENDPOINTS = {"AWS_ENDPOINT_URL_STS", "services section", "profile's endpoint_url"}


def cases() -> dict[str, Case]:
    """Return every case by its name."""
    return dict(_cases())


def different() -> dict[str, Case]:
    """Return cases that show a difference each, by name."""
    variables = SOURCES["variables"]
    plain = {**SINGLES, **{name: variables | region for name, region in REGIONS.items()}}
    shown = REWRITES.keys() | OUTCOMES.keys()
    return {name: case for name, case in plain.items() if case.rows & shown}


def _cases() -> Iterator[tuple[str, Case]]:
    yield from SINGLES.items()
    for (name, region), (source, identity) in product(_few(REGIONS, _FEW_REGIONS), SOURCES.items()):
        yield f"{source} + {name}", _in_profile(identity, region)
    for (name, endpoint), (source, identity) in product(
        _few(ENDPOINTS, _FEW_ENDPOINTS), SOURCES.items()
    ):
        signed = name in _OWN_ENDPOINTS and "target role" in source
        rows = frozenset({Row.NO_REGION} if signed else ())
        yield f"{source} + {name}", _in_profile(identity, endpoint) | Case(rows=rows)
    variables = SOURCES["variables"]
    for name, region in REGIONS.items():
        yield f"{name}, plain", variables | region
    for (name, region), (what, endpoint) in product(REGIONS.items(), ENDPOINTS.items()):
        if (name in _FEW_REGIONS) or (what in _FEW_ENDPOINTS):
            yield f"{name} + {what}", variables | region | endpoint


def _few(axis: Mapping[str, Case], names: tuple[str, ...]) -> Iterator[tuple[str, Case]]:
    return ((name, axis[name]) for name in names)


def _in_profile(identity: Case, setting: Case) -> Case:
    """Return both in one case, with the setting in the profile of the identity."""
    environ = identity.environ
    profile = identity.profile or environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE")
    if not profile or "default" not in setting.config:
        return identity | setting
    config = dict(setting.config)
    config[f"profile {profile}"] = config.pop("default")
    return identity | Case(
        environ=setting.environ,
        config=config,
        region=setting.region,
        client_region=setting.client_region,
        client_config=setting.client_config,
        rows=setting.rows,
    )
