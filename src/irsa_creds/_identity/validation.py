"""What AWS and botocore accept, as pure checks: each returns a clean value or says what is wrong.

Every check takes the value and its source: the variable, profile key or argument that it came from,
as the message shall name it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from irsa_creds._errors import ConfigError
from irsa_creds._masking import JWT

__all__ = [
    "as_text",
    "boolean",
    "ca_bundle",
    "duration",
    "endpoint_url",
    "is_aws_endpoint",
    "is_proxy_url",
    "legacy",
    "policy",
    "quoted",
    "quoted_path",
    "region",
    "session_name",
    "token_callable",
    "token_file",
]

# The DNS suffixes of all partitions, plain and dual stack (botocore 1.44.8, data/partitions.json).
AWS_SUFFIXES = (
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
    "api.aws",
    "api.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "api.aws.ic.gov",
    "api.aws.scloud",
    "api.cloud-aws.adc-e.uk",
    "api.aws.hci.ic.gov",
)
DURATIONS = range(900, 43_200 + 1)  # STS's API reference, DurationSeconds
MAX_POLICY_CHARACTERS = 2_048  # STS's API reference, Policy

_SHOWN_LIMIT = 160
# Blanks and slashes in a password do not end it: all up to the last @ may be of it.
_SECRETS = rf"(?s)(?<=//).*@|{JWT}"
_LONGEST_NAME = 255  # of a file, on every common file system

# botocore.utils.validate_region_name and is_valid_endpoint_url (1.44.8).
_REGION = r"(?![0-9]+\Z)(?!-)[a-zA-Z0-9-]{1,63}(?<!-)"
_HOST = r"(?a:(?:(?!-)[a-z\d-]{1,63}(?<!-)\.)*(?!-)[a-z\d-]{1,63}(?<!-)\.?)"
_LONGEST_HOST = 255  # RFC 1035
_IPV6 = r"(?a:[0-9a-f:.]+(?:%[\w.~-]+)?)"
_SESSION_NAME = r"(?a:[\w+=,.@-]{2,64})"  # STS's API reference


def quoted(value: object) -> str:
    """Return `value` as a message may show it: quoted, bounded, without passwords or tokens."""
    text = re.sub(_SECRETS, lambda m: "***@" if m[0].endswith("@") else "***", repr(value))
    return text if len(text) <= _SHOWN_LIMIT else text[: _SHOWN_LIMIT - 3] + "..."


def quoted_path(path: str) -> str:
    """Return a path as a message may show it; what may be an opaque token is only counted."""
    if path and not re.search(r"[/\\]", path) and not os.path.exists(path):  # noqa: PTH110 - never raises
        return f"({len(path):,} characters, without a slash)"
    return quoted(re.sub(rf"[^/]{{{_LONGEST_NAME + 1},}}", "***", path))


def session_name(value: object, source: str) -> str:
    """Return the name of the role session: 2 to 64 letters, digits or characters of _+=,.@-."""
    advice = "a role session's name has 2 to 64 letters, digits or characters of _+=,.@-"
    name = as_text(value, source, advice)
    if not re.fullmatch(_SESSION_NAME, name):
        raise ConfigError(f"{source} is {quoted(name)}, but {advice}.")
    return name


def session_name_from(host: str) -> str:
    """Return the host's name made a valid name of a role session, always the same."""
    name = re.sub(r"[^\w+=,.@-]", "-", host, flags=re.ASCII)[:64]
    return name if len(name) > 1 else f"{name}-irsa".lstrip("-")


def duration(value: object, source: str, *, aws: bool) -> int:
    """Return the lifetime in seconds: 900 to 43,200 at AWS's endpoints, positive at any other."""
    seconds = value
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,18}\s*", value, re.ASCII):
        seconds = int(value)
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise ConfigError(f"{source} is {quoted(value)}, but it must be a whole number of seconds.")
    if aws and seconds not in DURATIONS:
        raise ConfigError(
            f"{source} is {seconds}, but STS gives credentials for {DURATIONS[0]} to "
            f"{DURATIONS[-1]} seconds; give a number between them."
        )
    if seconds <= 0:
        raise ConfigError(f"{source} is {seconds}, but it must be a positive number of seconds.")
    return seconds


def policy(value: object, source: str) -> str:
    """Return the session policy as JSON: text as it was given, a mapping in its shortest form."""
    if isinstance(value, Mapping):
        text = _json_of(value, source)
    else:
        text = as_text(value, source, "give an IAM policy as JSON text or as a dict")
        _expect_json_object(text, source)
    if foreign := re.search(r"[^\t\n\r\x20-\xff]", text):
        raise ConfigError(
            f"{source} holds {foreign[0]!a}, but STS takes characters up to U+00FF; "
            "write it as a JSON escape."
        )
    if len(text) > MAX_POLICY_CHARACTERS:
        raise ConfigError(
            f"{source} has {len(text):,} characters, but STS takes {MAX_POLICY_CHARACTERS:,}; "
            "shorten it, or make it a managed policy and give its ARN in policy_arns."
        )
    return text


def _json_of(document: Mapping[Any, Any], source: str) -> str:
    trouble = ""
    try:
        return json.dumps(dict(document), sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        trouble = str(error)
    raise ConfigError(f"{source} cannot be written as JSON ({trouble}); give an IAM policy.")


def _expect_json_object(text: str, source: str) -> None:
    trouble = "it is no JSON object"
    try:
        if isinstance(json.loads(text), dict):
            return
    except (ValueError, RecursionError) as error:
        trouble = f"it is not JSON ({error})"
    raise ConfigError(f"{source} is {quoted(text)}, but {trouble}; give an IAM policy as JSON.")


def token_file(value: object, source: str) -> str:
    """Return the path of the token's file; whether it is there is asked at every refresh."""
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    advice = "give the path of the file that holds the web identity token"
    if not isinstance(path, str):
        raise ConfigError(f"{source} is of type {type(path).__name__}, not a path; {advice}.")
    if re.search(JWT, path):
        raise ConfigError(
            f"{source} holds a token itself; give the path of the file that holds it "
            "(or hand a callable that returns it to the argument token)."
        )
    if not path or "\0" in path:
        raise ConfigError(f"{source} is {quoted_path(path)}, which is no path; {advice}.")
    return path


def token_callable(value: object, source: str) -> Callable[[], str]:
    """Return the callable that brings the token; it is itself part of the provider's identity."""
    if not callable(value):
        raise ConfigError(
            f"{source} is a {type(value).__name__}, but it must be a callable without arguments "
            "that returns the token; give the path of a file to token_file instead."
        )
    import inspect  # noqa: PLC0415 - 4 ms, and most tokens are in a file

    if inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(type(value).__call__):
        raise ConfigError(
            f"{source} is a coroutine function, but the token is read on a thread of its own; "
            "give an ordinary function."
        )
    if type(value).__hash__ is None:
        raise ConfigError(
            f"{source} is a {type(value).__name__}, which cannot be hashed, but providers are "
            "told apart by it; give a function or a bound method."
        )
    return value


def region(value: object, source: str) -> str:
    """Return the region's name: any valid host label, as botocore takes it."""
    name = as_text(value, source, "give a region's name, like eu-central-1")
    if not re.fullmatch(_REGION, name):
        raise ConfigError(
            f"{source} is {quoted(name)}, which cannot be a region's name; "
            "give one like eu-central-1, without blanks or quotes."
        )
    return name


def endpoint_url(value: object, source: str) -> str:
    """Return the endpoint's URL: http or https with a host, as botocore takes it.

    But without user and password: STS asks for neither, and the URL is logged and pickled.
    """
    url = as_text(value, source, "give a URL like https://sts.example.com")
    # Wherever it stands: what precedes it may be a password with a slash in it.
    if "@" in url:
        raise ConfigError(
            f"{source} holds an '@', as URLs with a user and password do, but STS asks for "
            "neither; give a URL like https://sts.example.com."
        )
    if not _is_http_url(url):
        raise ConfigError(
            f"{source} is {quoted(url)}, which is not the URL of an endpoint; "
            "give one that begins with http:// or https:// and names a host."
        )
    return url


def _is_http_url(url: str) -> bool:
    if not re.fullmatch(r"[\x21-\x7e]+", url):
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or len(host) > _LONGEST_HOST:
        return False
    return re.fullmatch(_IPV6 if ":" in host else _HOST, host) is not None


def is_aws_endpoint(url: str) -> bool:
    """Return whether `url` is an STS of AWS itself, interface VPC endpoints included."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    service = {"sts", "sts-fips"}.intersection(host.split("."))
    return bool(service) and host.endswith(tuple(f".{suffix}" for suffix in AWS_SUFFIXES))


def is_proxy_url(url: str) -> bool:
    """Return whether `url` names a host, and is not torn apart by what its password holds."""
    # urllib3's own reading counts; whoever has a proxy to connect to has loaded it.
    from urllib3.exceptions import LocationParseError  # noqa: PLC0415
    from urllib3.util import parse_url  # noqa: PLC0415

    try:
        parts = parse_url(url)
    except LocationParseError:
        return False
    # An @ behind the host: the password ends there, and what stands for the host is its user.
    return bool(parts.host) and "@" not in f"{parts.request_uri}{parts.fragment}"


def ca_bundle(value: object, source: str) -> bool | str:
    """Return the path of a CA bundle, or the bool that switches verification (session's own)."""
    if isinstance(value, bool):
        return value
    path = as_text(value, source, "give the path of a CA bundle")
    # Older botocores (1.40.61) take an empty one as "do not verify".
    if not path.strip():
        raise ConfigError(
            f"{source} is {quoted(path)}, which is no path; name a CA bundle or unset it."
        )
    return path


def legacy(value: object, source: str) -> bool:
    """Return whether `sts_regional_endpoints` is "legacy"; empty is the default, "regional"."""
    if value not in (None, "", "regional", "legacy"):
        raise ConfigError(f"{source} is {quoted(value)}, but it must be 'regional' or 'legacy'.")
    return value == "legacy"


def boolean(value: object) -> bool:
    """Return what botocore.utils.ensure_boolean (1.44.8) makes of a setting: only "true" is."""
    return value.lower() == "true" if isinstance(value, str) else value is True


def as_text(value: object, source: str, advice: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{source} is {quoted(value)}, which is no text; {advice}.")
    return value
