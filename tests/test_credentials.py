from __future__ import annotations

import copy
import dataclasses
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from irsa_creds import Credentials

CREDENTIALS = Credentials(
    "ASIAEXAMPLE1234",
    "canary-secret",
    "canary-session",
    datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
    "123456789012",
    "arn:aws:sts::123456789012:assumed-role/app/pod",
)


def test_the_repr_shows_the_keys_last_four_characters_and_the_expiry_and_no_more() -> None:
    assert repr(CREDENTIALS) == "<Credentials ...1234 expiring 2030-01-02T03:04:05Z>"
    assert "canary" not in f"{CREDENTIALS} {[CREDENTIALS]}"


def test_credentials_do_not_pickle() -> None:
    with pytest.raises(TypeError, match="Pickle the provider instead"):
        pickle.dumps(CREDENTIALS)


def test_a_copy_inside_the_process_is_the_same() -> None:
    assert copy.copy(CREDENTIALS) is CREDENTIALS
    assert copy.deepcopy({"held": [CREDENTIALS]})["held"][0] is CREDENTIALS


def test_two_sets_cannot_be_mixed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CREDENTIALS.secret_access_key = "another"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del CREDENTIALS.secret_access_key
    with pytest.raises(AttributeError):
        CREDENTIALS.something_else = "another"  # type: ignore[attr-defined]
    assert CREDENTIALS.secret_access_key == "canary-secret"


def test_two_are_equal_if_all_their_values_are() -> None:
    values: dict[str, Any] = {
        "access_key_id": "ASIAEXAMPLE1234",
        "secret_access_key": "canary-secret",
        "session_token": "canary-session",
        "expiration": CREDENTIALS.expiration,
        "account_id": "123456789012",
        "assumed_role_arn": "arn:aws:sts::123456789012:assumed-role/app/pod",
    }
    assert {CREDENTIALS, Credentials(**values)} == {CREDENTIALS}
    for name in values:
        other = Credentials(**{**values, name: datetime(2031, 1, 1, tzinfo=UTC)})
        assert other != CREDENTIALS
    assert tuple(values.values()) != CREDENTIALS


def test_account_and_arn_may_be_unknown() -> None:
    bare = Credentials("key", "secret", "token", CREDENTIALS.expiration)
    assert bare.account_id is None
    assert bare.assumed_role_arn is None
