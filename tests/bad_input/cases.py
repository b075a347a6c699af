"""Every case of bad input, and the message that it must cause."""

from __future__ import annotations

import json
import os

from bad_input.broken_pods import (
    JWT,
    Case,
    argument,
    call,
    content,
    forbidden,
    hanging_call,
    nowhere,
    profile,
    replaced,
    responses,
    role,
    slowly,
    stranger,
    unused_port,
    variable,
    vault_is_down,
)
from irsa_creds import ConfigError, ExchangeError, RefreshTimeout, TokenError
from sts_server import (
    credentials_xml,
    disconnect,
    error_xml,
    http,
    reset,
    send,
    success,
)

__all__ = ["ARGUMENTS", "CASES"]

XML = credentials_xml()
EXAMPLE = "like arn:aws:iam::123456789012:role/NAME."
FILE = "The token file '"
WHO = "is an STS endpoint and that no proxy responds in its place."

#: What environment, files and servers bring; boto3's sessions meet these as well.
CASES: dict[str, Case] = {
    "role missing": Case(
        variable("AWS_ROLE_ARN", None),
        ConfigError,
        ("AWS_WEB_IDENTITY_TOKEN_FILE is set", "no role is named; set AWS_ROLE_ARN"),
    ),
    "role empty": Case(
        variable("AWS_ROLE_ARN", ""), ConfigError, ("AWS_ROLE_ARN is empty; set AWS_ROLE_ARN",)
    ),
    "policy ARN": Case(
        role("arn:aws:iam::123456789012:policy/app"),
        ConfigError,
        ("AWS_ROLE_ARN is 'arn:aws:iam::123456789012:policy/app'", "ARN of a policy;", EXAMPLE),
    ),
    "assumed-role ARN": Case(
        role("arn:aws:sts::123456789012:assumed-role/app/pod"),
        ConfigError,
        ("AWS_ROLE_ARN is '", "ARN of a role's session;", EXAMPLE),
    ),
    "wrong account length": Case(
        role("arn:aws:iam::12345678901:role/app"),
        ConfigError,
        ("AWS_ROLE_ARN is '", "account id is not 12 digits;", EXAMPLE),
    ),
    "extra colon": Case(
        role("arn:aws:iam::123456789012::role/app"),
        ConfigError,
        ("AWS_ROLE_ARN is '", "it has too many colons;", EXAMPLE),
    ),
    "session name": Case(
        variable("AWS_ROLE_SESSION_NAME", "my app"),
        ConfigError,
        ("AWS_ROLE_SESSION_NAME is 'my app'", "2 to 64 letters, digits or characters of _+=,.@-."),
    ),
    "duration too short": Case(
        profile("duration_seconds = 899"),
        ConfigError,
        ("duration_seconds of the profile 'default' is 899", "900 to 43200 seconds; give"),
    ),
    "duration too long": Case(
        profile("duration_seconds = 43201"),
        ConfigError,
        ("duration_seconds of the profile 'default' is 43201", "900 to 43200 seconds; give"),
    ),
    "duration no number": Case(
        profile("duration_seconds = 1h"),
        ConfigError,
        ("duration_seconds of the profile 'default' is '1h'", "whole number of seconds"),
    ),
    "region": Case(
        variable("AWS_REGION", "eu west 1"),
        ConfigError,
        ("AWS_REGION is 'eu west 1'", "a region's name is like eu-central-1"),
    ),
    "endpoint": Case(
        variable("AWS_ENDPOINT_URL_STS", "sts.example.com"),
        ConfigError,
        ("AWS_ENDPOINT_URL_STS is 'sts.example.com'", "begins with http:// or https://"),
    ),
    "token missing": Case(
        replaced(lambda path: None),
        TokenError,
        (FILE, "does not exist.", "Check that", "AWS_WEB_IDENTITY_TOKEN_FILE is a path"),
        "TokenFileMissing",
    ),
    "token unreadable": Case(
        forbidden,
        TokenError,
        (FILE, "(uid ", ", mode 0600) cannot be read by uid ", "Permission denied", "fsGroup"),
        "TokenFileUnreadable",
    ),
    "token empty": Case(
        content(" \n"), TokenError, (FILE, "is empty.", "rename"), "TokenFileEmpty"
    ),
    "token a directory": Case(
        replaced(lambda path: path.mkdir()),
        TokenError,
        (FILE, "is a directory.", "It must contain a web identity token"),
        "TokenFileInvalid",
    ),
    "token a FIFO": Case(
        replaced(os.mkfifo),
        TokenError,
        (FILE, "is a FIFO, not a file.", "It must contain a web identity token"),
        "TokenFileInvalid",
    ),
    "token too long": Case(
        content("x" * 20_001),
        TokenError,
        (FILE, "has more than 20,000 characters", "It must contain a web identity token"),
        "TokenFileInvalid",
    ),
    "token with a BOM": Case(
        content(b"\xef\xbb\xbf" + JWT.encode()),
        TokenError,
        (FILE, "begins with a byte order mark.", "It must contain a web identity token"),
        "TokenFileInvalid",
    ),
    "token not UTF-8": Case(
        content(b"\xe4\xff" + JWT.encode()),
        TokenError,
        (FILE, "is not UTF-8 text.", "It must contain a web identity token"),
        "TokenFileInvalid",
    ),
    "STS returns HTML": Case(
        responses(send(http("<!DOCTYPE html><html><body>Sign in</body></html>"))),
        ExchangeError,
        ("an invalid response (MalformedAnswer)", "has a DOCTYPE, like a web page.", WHO),
        "MalformedAnswer",
    ),
    "STS returns truncated XML": Case(
        responses(send(http(XML[: len(XML) // 2]))),
        ExchangeError,
        ("an invalid response (MalformedAnswer)", "is truncated.", WHO),
        "MalformedAnswer",
    ),
    "STS omits fields": Case(
        responses(send(http(XML.replace("SessionToken", "Other")))),
        ExchangeError,
        ("an invalid response (MalformedAnswer)", "lacks SessionToken.", WHO),
        "MalformedAnswer",
    ),
    "STS returns 10 MB": Case(
        responses(send(http(XML + " " * 10_000_000))),
        ExchangeError,
        ("an invalid response (MalformedAnswer)", "is longer than 1 MiB.", WHO),
        "MalformedAnswer",
    ),
    "STS drips": Case(
        slowly(lambda it: (it.send(http(XML)[:200]), it.drip(http(XML)[200:], 0.1))),
        ExchangeError,
        (
            "STS did not respond in time (ReadTimeoutError)",
            "http://localhost:",
            "The next read tries again",
        ),
        "ReadTimeoutError",
    ),
    "STS returns expired credentials": Case(
        responses(success(expiration="2026-01-05T09:00:00Z")),
        ExchangeError,
        ("their expiration was 2026-01-05T09:00:00Z.", "Compare the pod's clock and STS's."),
        "ExpiredCredentials",
    ),
    "STS denies the call": Case(
        responses(send(http(error_xml("AccessDenied", "Not authorized"), "403 Forbidden"))),
        ExchangeError,
        ("AccessDenied", "iss https://issuer.example", "trust policy"),
        "AccessDenied",
    ),
    "STS resets": Case(
        responses(reset),
        ExchangeError,
        (
            "STS closed the connection (ConnectionClosedError)",
            "http://localhost:",
            "The next read tries again",
        ),
        "ConnectionClosedError",
    ),
    "STS hangs up": Case(
        responses(disconnect),
        ExchangeError,
        (
            "STS closed the connection (ConnectionClosedError)",
            "http://localhost:",
            "The next read tries again",
        ),
        "ConnectionClosedError",
    ),
    "unknown host": Case(
        variable("AWS_ENDPOINT_URL_STS", "http://sts.unknown.invalid"),
        ExchangeError,
        ("Cannot connect to STS", "host not found", "sts.unknown.invalid", "Check DNS, network"),
        "EndpointConnectionError",
    ),
    "connection refused": Case(
        unused_port,
        ExchangeError,
        ("Cannot connect to STS", "connection refused", "127.0.0.1:", "Check DNS, network"),
        "EndpointConnectionError",
    ),
    "TLS failure": Case(
        stranger,
        ExchangeError,
        ("TLS connection to STS failed (SSLError): certificate verify failed", "AWS_CA_BUNDLE"),
        "SSLError",
    ),
    "CA bundle missing": Case(
        nowhere,
        ExchangeError,
        ("STS failed (SSLError): CA bundle '/nowhere/ca.pem' not found", "AWS_CA_BUNDLE"),
        "SSLError",
    ),
}

#: What only `irsa_creds.provider()` can be given.
ARGUMENTS: dict[str, Case] = {
    "token not named": Case(
        variable("AWS_WEB_IDENTITY_TOKEN_FILE", None),
        ConfigError,
        ("AWS_ROLE_ARN is 'arn:", "no web identity token is named", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    ),
    "policy too long": Case(
        argument(policy=json.dumps({"Version": "2012-10-17", "Statement": ["x" * 2048]})),
        ConfigError,
        ("The argument policy has 2,", "STS accepts 2,048; shorten it, or", "policy_arns."),
    ),
    "policy not JSON": Case(
        argument(policy="{'Version': '2012-10-17'}"),
        ConfigError,
        ("The argument policy is ", "it is not JSON", "give an IAM policy as JSON or as a dict."),
    ),
    "eleven policy ARNs": Case(
        argument(policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"] * 11),
        ConfigError,
        ("The argument policy_arns has 11 policy ARNs", "STS accepts at most 10; remove some."),
    ),
    "token callable raises": Case(
        call(vault_is_down),
        TokenError,
        ("The token callable raised OSError: vault is down.",),
        "TokenCallableFailed",
    ),
    "token callable returns bytes": Case(
        call(JWT.encode),
        TokenError,
        ("The token callable returned a value of type bytes, not str.", "must return the web"),
        "TokenCallableFailed",
    ),
    "token callable returns nothing": Case(
        call(str),
        TokenError,
        ("The token callable returned a text that is empty.", "must return the web"),
        "TokenCallableFailed",
    ),
    "token callable hangs": Case(
        hanging_call,
        RefreshTimeout,
        ("No credentials within 0.3 s for arn:aws:iam:", "token callable that does not respond."),
    ),
}
