"""The cases of the differential table: single ones, and products of the axes."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from differential import OTHER_TOKEN, OUTCOMES, REWRITES, ROLE, TOKEN_FILE, Case, Row
from differential_axes import (
    ENDPOINTS,
    FILES,
    HOP,
    IRSA,
    KEYS,
    NAMED,
    REGIONS,
    SECOND_ROLE,
    SOURCES,
)
from fake_network import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STATIC = {"aws_access_key_id": "AKIDSTATIC", "aws_secret_access_key": "static-secret"}
_CHAIN_KEYS = {"AWS_ACCESS_KEY_ID": "AKIDSTATIC", "AWS_SECRET_ACCESS_KEY": "static-secret"}
# Both look whether it is there.
_CA = TOKEN_FILE
_PROXY = {"HTTPS_PROXY": "http://proxy.example:3128"}


def _hops(rows: frozenset[Row] = frozenset(), **profiles: Mapping[str, str]) -> Case:
    """Return a case of the profile `hop`, with those profiles in place of the usual ones."""
    config = {**FILES, **{f"profile {name}": keys for name, keys in profiles.items()}}
    return Case(environ={"AWS_PROFILE": "hop"}, config=config, rows=rows)


#: One thing each.
SINGLES: dict[str, Case] = {
    # Which provider of the chain wins.
    "static variables win": Case(environ={**IRSA, **_CHAIN_KEYS}),
    "explicit profile beats static variables": Case(
        environ=_CHAIN_KEYS, profile="app", config=FILES
    ),
    "web identity beats static keys of the profile": Case(environ=IRSA, config={"default": STATIC}),
    "web identity and static keys in one profile": Case(config={"default": {**KEYS, **STATIC}}),
    "static keys of an explicit profile": Case(
        environ=IRSA, profile="keys", config={"profile keys": STATIC}
    ),
    "static keys of the credentials file": Case(shared={"default": STATIC}),
    "web identity beats a process": Case(
        environ=IRSA, config={"default": {"credential_process": "false"}}
    ),
    "web identity beats a container": Case(
        environ={**IRSA, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/credentials"}
    ),
    "nothing at all": Case(),
    "source_profile beside a token is no hop": Case(
        config={"default": {**KEYS, "source_profile": "app"}, "profile app": STATIC}
    ),
    "hop from static keys": Case(
        environ={**IRSA, "AWS_PROFILE": "hop"}, config={"profile hop": HOP, "profile app": STATIC}
    ),
    "hop from a profile without a token": Case(
        environ={"AWS_PROFILE": "hop"}, config={"profile hop": HOP, "profile app": {"a": "b"}}
    ),
    "hop from a missing profile": Case(environ={"AWS_PROFILE": "hop"}, config={"profile hop": HOP}),
    "hop from a web identity beside static keys": _hops(app={**KEYS, **STATIC}),
    "hop from a second role beside static keys": _hops(
        hop={**HOP, "source_profile": "two"}, two={**HOP, **STATIC}
    ),
    "hop with static keys of its own": _hops(hop={**HOP, **STATIC}),
    "hop by a credential source": _hops(
        hop={"role_arn": SECOND_ROLE, "credential_source": "Environment"}
    )
    | Case(environ=_CHAIN_KEYS),
    "hop by two sources": _hops(hop={**HOP, "credential_source": "Environment"}),
    "hop by no source": _hops(hop={"role_arn": SECOND_ROLE}),
    "hop from itself": _hops(hop={**HOP, "source_profile": "hop"}),
    "hops in a circle": _hops(
        hop={**HOP, "source_profile": "two"}, two={**HOP, "source_profile": "hop"}
    ),
    "hop from a half set profile": _hops(
        app={"web_identity_token_file": TOKEN_FILE}, rows=frozenset({Row.HALF_SET})
    ),
    "hop from an empty token": _hops(app={**KEYS, "web_identity_token_file": ""}),
    "hop of the default profile": Case(config={"default": HOP, "profile app": KEYS}),
    "hop with an external id": _hops(hop={**HOP, "external_id": "of/the:owner"}),
    "hop with a duration": _hops(hop={**HOP, "duration_seconds": "1800"}),
    "hop with a duration that is no number": _hops(hop={**HOP, "duration_seconds": "an hour"}),
    "hop with more than an hour": _hops(
        hop={**HOP, "duration_seconds": "3601"}, rows=frozenset({Row.CAUGHT_EARLY})
    ),
    "hop with more than an hour, not at AWS": _hops(
        hop={**HOP, "duration_seconds": "3601"}, rows=frozenset({Row.NO_REGION})
    )
    | Case(environ={"AWS_ENDPOINT_URL_STS": "http://ceph.example:8000"}),
    "hop to what is no role": _hops(
        hop={**HOP, "role_arn": "arn:aws:iam::123456789012:policy/x"},
        rows=frozenset({Row.CAUGHT_EARLY}),
    ),
    "hop without a session name": _hops(
        hop={k: v for k, v in HOP.items() if k != "role_session_name"},
        rows=frozenset({Row.SESSION_NAME}),
    ),
    "hop without a session name, but a variable of one": _hops(
        hop={k: v for k, v in HOP.items() if k != "role_session_name"},
        rows=frozenset({Row.SESSION_NAME}),
    )
    | Case(environ=IRSA),
    "hop from a web identity with a duration": _hops(
        app={**KEYS, "duration_seconds": "7200"}, rows=frozenset({Row.DURATION})
    ),
    # What is half set, or empty.
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
    # What is asked for.
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
    "refused": Case(environ=IRSA, refusal=Refusal("AccessDenied", status=403)),
    "token refused": Case(environ=IRSA, refusal=Refusal("InvalidIdentityToken")),
    "token expired": Case(environ=IRSA, refusal=Refusal("ExpiredTokenException")),
    "refused in a hop": Case(
        environ={"AWS_PROFILE": "hop"}, config=FILES, refusal=Refusal("AccessDenied", status=403)
    ),
    "unreachable": Case(
        environ={**IRSA, "AWS_MAX_ATTEMPTS": "1"}, down=True, rows=frozenset({Row.RETRIES})
    ),
    "role ARN is a policy's": Case(
        environ={**IRSA, "AWS_ROLE_ARN": "arn:aws:iam::123456789012:policy/x"},
        refusal=Refusal("ValidationError"),
        rows=frozenset({Row.CAUGHT_EARLY}),
    ),
    "session name is invalid": Case(
        environ={**IRSA, "AWS_ROLE_SESSION_NAME": "two words"},
        refusal=Refusal("ValidationError"),
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
    """Return those that show a row each, by name."""
    variables = SOURCES["variables"]
    plain = {**SINGLES, **{name: variables | region for name, region in REGIONS.items()}}
    shown = REWRITES.keys() | OUTCOMES.keys()
    return {name: case for name, case in plain.items() if case.rows & shown}


def _cases() -> Iterator[tuple[str, Case]]:
    yield from SINGLES.items()
    for (name, region), (source, who) in product(_few(REGIONS, _FEW_REGIONS), SOURCES.items()):
        yield f"{source} + {name}", _at_home(who, region)
    for (name, endpoint), (source, who) in product(
        _few(ENDPOINTS, _FEW_ENDPOINTS), SOURCES.items()
    ):
        signed = name in _OWN_ENDPOINTS and "hop" in source
        rows = frozenset({Row.NO_REGION} if signed else ())
        yield f"{source} + {name}", _at_home(who, endpoint) | Case(rows=rows)
    variables = SOURCES["variables"]
    for name, region in REGIONS.items():
        yield f"{name}, plain", variables | region
    for (name, region), (what, endpoint) in product(REGIONS.items(), ENDPOINTS.items()):
        if (name in _FEW_REGIONS) or (what in _FEW_ENDPOINTS):
            yield f"{name} + {what}", variables | region | endpoint


def _few(axis: Mapping[str, Case], names: tuple[str, ...]) -> Iterator[tuple[str, Case]]:
    return ((name, axis[name]) for name in names)


def _at_home(who: Case, setting: Case) -> Case:
    """Return both in one; what a setting says of the default profile, it says of the session's."""
    home = who.profile or who.environ.get("AWS_DEFAULT_PROFILE") or who.environ.get("AWS_PROFILE")
    if not home or "default" not in setting.config:
        return who | setting
    config = dict(setting.config)
    config[f"profile {home}"] = config.pop("default")
    return who | Case(
        environ=setting.environ,
        config=config,
        region=setting.region,
        client_region=setting.client_region,
        client_config=setting.client_config,
        rows=setting.rows,
    )
