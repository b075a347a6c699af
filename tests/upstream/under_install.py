"""A plugin of pytest: another project's tests run after `install()`, on the loopback only.

Tests that cannot pass are listed with the reason. Such a test must fail, and no other one may.
"""

from __future__ import annotations

import socket
from typing import Any

import pytest

import irsa_creds

_OWN_CALL = (
    "The test replaces the responses that a session gets from STS, and irsa-creds calls STS "
    "without the session. tests/differential.py compares such requests."
)
_ACCOUNT = (
    "The account id of the test's role has 9 digits, which irsa-creds rejects before it calls STS. "
    "tests/differential.py compares the same with a valid role."
)
# By the test's function, after its class if it has one.
CANNOT_PASS = {
    "test_user_agent_has_assume_role_with_web_identity_feature_ids": _OWN_CALL,
    "TestAssumeRole::test_web_identity_source_profile": _ACCOUNT,
    "TestAssumeRoleWithWebIdentity::test_assume_role": _ACCOUNT,
    "TestAssumeRoleWithWebIdentity::test_assume_role_env_vars": _ACCOUNT,
    "TestAssumeRoleWithWebIdentity::test_assume_role_env_vars_do_not_take_precedence": _ACCOUNT,
    "TestSTSRegional::test_assume_role_web_identity_uses_same_region_as_client": _ACCOUNT,
}

_resolve = socket.getaddrinfo


def _resolve_loopback(host: Any, *arguments: Any, **options: Any) -> Any:
    if host not in {"127.0.0.1", "::1", "localhost", None}:
        raise socket.gaierror(socket.EAI_NONAME, f"{host} is not on the loopback")
    return _resolve(host, *arguments, **options)


def pytest_configure() -> None:
    """Install irsa-creds before any test."""
    socket.getaddrinfo = _resolve_loopback
    irsa_creds.install()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the listed tests fail."""
    for item in items:
        _, _, name = item.nodeid.partition("[")[0].partition("::")
        reason = CANNOT_PASS.get(name)
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
