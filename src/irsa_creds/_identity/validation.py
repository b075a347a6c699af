"""Check values as AWS and botocore do: return the clean value, or raise `ConfigError`.

Each check takes the value and its origin: the variable, profile key or argument, as messages name
it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any
from urllib.parse import urlsplit

from irsa_creds._errors import ConfigError
from irsa_creds._masking import JWT, quoted, quoted_path

__all__ = [
    "as_list",
    "boolean",
    "ca_bundle",
    "duration",
    "endpoint_url",
    "expect_at_most",
    "is_aws_endpoint",
    "is_http_url",
    "legacy",
    "matching_text",
    "policy",
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

_LONGEST_HOST, _LONGEST_LABEL = 255, 63  # RFC 1035
_IPV6 = r"(?a:[0-9a-f:.]+(?:%[\w.~-]+)?)"
_SESSION_NAME = r"(?a:[\w+=,.@-]{2,64})"  # STS's API reference


def matching_text(value: object, origin: str, pattern: str, expected: str) -> str:
    """Return `value` if it is text and matches `pattern`.

    Args:
        value: the value.
        origin: where it comes from.
        pattern: a regular expression for all of the text.
        expected: the rest of the error's sentence after "but".

    Raises:
        ConfigError: it does not match.
    """
    if isinstance(value, str) and re.fullmatch(pattern, value):
        return value
    raise ConfigError(f"{origin} is {quoted(value)}, but {expected}.")


def as_list(value: object, origin: str, what: str) -> Sequence[Any]:
    """Return `value` if it is a list or the like; text is not."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ConfigError(f"{origin} is {quoted(value)}, but it must be a list of {what}.")
    return value


def expect_at_most(longest: int, values: Sized, origin: str, what: str) -> None:
    """Raise `ConfigError` if there are more than `longest` values."""
    if len(values) > longest:
        raise ConfigError(
            f"{origin} has {len(values)} {what}, but STS accepts at most {longest}; remove some."
        )


def session_name(value: object, origin: str) -> str:
    """Return the session name of a role."""
    expected = "a session name has 2 to 64 letters, digits or characters of _+=,.@-"
    return matching_text(value, origin, _SESSION_NAME, expected)


def session_name_from(host: str) -> str:
    """Return the session name made from a host name."""
    known = (c if c.isascii() and (c.isalnum() or c in "_+=,.@-") else "-" for c in host)
    name = "".join(known)[:64]
    return name if len(name) > 1 else f"{name}-irsa".lstrip("-")


def duration(value: object, origin: str, *, aws: bool) -> int:
    """Return the lifetime in seconds: 900 to 43,200 at AWS's endpoints, positive at any other."""
    seconds = value
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,18}\s*", value, re.ASCII):
        seconds = int(value)
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise ConfigError(f"{origin} is {quoted(value)}, but it must be a whole number of seconds.")
    if aws and seconds not in DURATIONS:
        raise ConfigError(
            f"{origin} is {seconds}, but STS accepts {DURATIONS[0]} to {DURATIONS[-1]} "
            "seconds; give a number between them."
        )
    if seconds <= 0:
        raise ConfigError(f"{origin} is {seconds}, but it must be a positive number of seconds.")
    return seconds


def policy(value: object, origin: str) -> str:
    """Return the session policy as JSON: text unchanged, a mapping in its shortest form."""
    text, trouble = "", "it is not a JSON object"
    try:
        if isinstance(value, Mapping):
            text = json.dumps(dict(value), sort_keys=True, separators=(",", ":"))
        elif isinstance(value, str) and isinstance(json.loads(value), dict):
            text = value
    except (TypeError, ValueError, RecursionError) as error:
        trouble = f"it is not JSON ({error})"
    if not text:
        raise ConfigError(
            f"{origin} is {quoted(value)}, but {trouble}; give an IAM policy as JSON or as a dict."
        )
    if foreign := re.search(r"[^\t\n\r\x20-\xff]", text):
        raise ConfigError(
            f"{origin} contains {foreign[0]!a}, but STS accepts characters up to U+00FF; "
            "write it as a JSON escape."
        )
    if len(text) > MAX_POLICY_CHARACTERS:
        raise ConfigError(
            f"{origin} has {len(text):,} characters, but STS accepts {MAX_POLICY_CHARACTERS:,}; "
            "shorten it, or create a managed policy and pass its ARN in policy_arns."
        )
    return text


def token_file(value: object, origin: str) -> str:
    """Return the path of the token's file; it need not exist yet."""
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    advice = "give the path of the file that contains the web identity token"
    if not isinstance(path, str):
        raise ConfigError(f"{origin} is of type {type(path).__name__}, not a path; {advice}.")
    # Most paths need no pattern, which takes 0.2 ms to compile.
    if "eyJ" in path and re.search(JWT, path):
        raise ConfigError(
            f"{origin} contains a token; {advice} (or pass a callable that returns the token to "
            "the argument token)."
        )
    if not path or "\0" in path:
        raise ConfigError(f"{origin} is {quoted_path(path)}, which is not a path; {advice}.")
    return path


def token_callable(value: object, origin: str) -> Callable[[], str]:
    """Return the callable that returns the token; it is part of the provider's identity."""
    kind = f"{origin} is a {type(value).__name__}"
    if not callable(value):
        raise ConfigError(
            f"{kind}, but it must be a callable without arguments that returns the token; "
            "for the path of a file use token_file instead."
        )
    import inspect  # noqa: PLC0415 - 4 ms, and most tokens are in a file

    if inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(type(value).__call__):
        raise ConfigError(
            f"{origin} is a coroutine function, but a thread without an event loop calls it; "
            "give an ordinary function."
        )
    if type(value).__hash__ is None:
        raise ConfigError(
            f"{kind}, which cannot be hashed, but it is part of the provider's identity; "
            "give a function or a bound method."
        )
    return value


def region(value: object, origin: str) -> str:
    """Return the region's name: any valid host label, as botocore accepts it."""
    # As botocore.utils.validate_region_name (1.44.8).
    if isinstance(value, str) and _is_host_label(value) and not value.isdigit():
        return value
    raise ConfigError(
        f"{origin} is {quoted(value)}, but a region's name is like eu-central-1, without blanks or "
        "quotes."
    )


def endpoint_url(value: object, origin: str) -> str:
    """Return the endpoint's URL: http or https with a host, as botocore accepts it.

    A user and a password are not accepted: STS needs neither, and the URL is logged and pickled.
    """
    # Wherever the @ is: the text before it may be a password with a slash in it.
    if isinstance(value, str) and "@" in value:
        raise ConfigError(
            f"{origin} contains an '@', as URLs with a user and password do, but STS needs "
            "neither; give a URL like https://sts.example.com."
        )
    if isinstance(value, str) and is_http_url(value):
        return value
    raise ConfigError(
        f"{origin} is {quoted(value)}, which is not the URL of an endpoint; "
        "give one that begins with http:// or https:// and names a host."
    )


def is_http_url(url: str) -> bool:
    """Return whether `url` begins with http:// or https:// and names a host."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or len(host) > _LONGEST_HOST:
        return False
    if ":" in host:
        return re.fullmatch(_IPV6, host) is not None
    # As botocore.utils.is_valid_endpoint_url (1.44.8).
    return all(map(_is_host_label, host.removesuffix(".").split(".")))


def _is_host_label(text: str) -> bool:
    """Return whether `text` is a valid label of a host name."""
    plain = text.replace("-", "")
    return (
        plain.isascii()
        and plain.isalnum()
        and len(text) <= _LONGEST_LABEL
        and not text.startswith("-")
        and not text.endswith("-")
    )


def is_aws_endpoint(url: str) -> bool:
    """Return whether `url` is an STS of AWS itself, interface VPC endpoints included."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    service = {"sts", "sts-fips"}.intersection(host.split("."))
    return bool(service) and host.endswith(tuple(f".{suffix}" for suffix in AWS_SUFFIXES))


def ca_bundle(value: object, origin: str) -> bool | str:
    """Return the path of a CA bundle, or a session's bool that turns verification on or off."""
    # Older botocores (1.40.61) take an empty path for "do not verify".
    if isinstance(value, bool) or (isinstance(value, str) and value.strip()):
        return value
    raise ConfigError(f"{origin} is {quoted(value)}, but it must be the path of a CA bundle.")


def legacy(value: object, origin: str) -> bool:
    """Return whether `sts_regional_endpoints` is "legacy"; empty is the default, "regional"."""
    if value not in (None, "", "regional", "legacy"):
        raise ConfigError(f"{origin} is {quoted(value)}, but it must be 'regional' or 'legacy'.")
    return value == "legacy"


def boolean(value: object) -> bool:
    """Return a setting as botocore.utils.ensure_boolean (1.44.8) reads it: only "true" is true."""
    return value.lower() == "true" if isinstance(value, str) else value is True
