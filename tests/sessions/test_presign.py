"""Presigned URLs end when they say: the key that signs them has enough time left."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import CredentialRetrievalError, UnknownClientMethodError
from botocore.session import Session

import irsa_creds
from botocore_sessions import key_of, warnings
from engine_fakes import FakeClock, FakeSts, eventually, failure, join_refreshes
from irsa_creds._sessions import compat

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST, SECOND = "ASIA0000000000000001", "ASIA0000000000000002"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400
OBJECT = {"Bucket": "data", "Key": "report"}
pytestmark = pytest.mark.usefixtures("pod_without_timer")


def client(service: str = "s3", **config: Any) -> Any:
    """Return a client whose credentials were read now."""
    session = boto3.Session()
    made = session.client(service, config=Config(**config))
    session.get_credentials().get_frozen_credentials()
    return made


def url_of(s3: Any, seconds: float) -> str:
    url: str = s3.generate_presigned_url("get_object", OBJECT, seconds)
    return url


@pytest.mark.parametrize(
    ("service", "config", "presign"),
    [
        pytest.param(
            "s3",
            {"signature_version": version},
            lambda s3: s3.generate_presigned_url("get_object", OBJECT, 900),
            id=f"url, {version}",
        )
        for version in ("s3", "s3v4", "v4")
    ]
    + [
        pytest.param(
            "s3",
            {"signature_version": version},
            lambda s3: s3.generate_presigned_post("data", "report", ExpiresIn=900),
            id=f"post, {version}",
        )
        for version in ("s3", "s3v4")
    ]
    + [
        pytest.param(
            "s3",
            {},
            lambda s3: s3.generate_presigned_url("get_object", OBJECT),
            id="url, without ExpiresIn",
        ),
        pytest.param(
            "s3",
            {},
            lambda s3: s3.generate_presigned_url("get_object", OBJECT, ExpiresIn=None),
            id="url, ExpiresIn None",
        ),
        pytest.param(
            "s3",
            {},
            lambda s3: s3.generate_presigned_url("get_object", OBJECT, ExpiresIn="900"),
            id="url, ExpiresIn as text",
        ),
        pytest.param(
            "sts",
            {},
            lambda sts: sts.generate_presigned_url("get_caller_identity", ExpiresIn=900),
            id="url of STS",
        ),
        pytest.param(
            "rds",
            {},
            lambda rds: "https://" + rds.generate_db_auth_token("db.example", 5432, "app"),
            id="password of RDS",
        ),
        pytest.param(
            "dsql",
            {},
            lambda dsql: "https://" + dsql.generate_db_connect_auth_token("db.example"),
            id="password of DSQL",
        ),
    ],
)
def test_after_58_quiet_minutes_a_presigned_url_has_a_key_that_outlasts_it(
    service: str,
    config: dict[str, Any],
    presign: Callable[[Any], str | dict[str, Any]],
    clock: FakeClock,
    sts: FakeSts,
) -> None:
    made = client(service, **config)
    assert key_of(presign(made)) == FIRST
    clock.advance(58 * MINUTE)
    assert key_of(presign(made)) == SECOND
    assert sts.calls == 2


@pytest.mark.parametrize(("left", "calls"), [(901, 1), (899, 2)])
def test_a_url_waits_only_if_its_key_has_less_than_the_url_and_the_window(
    left: float, calls: int, clock: FakeClock, sts: FakeSts
) -> None:
    s3 = client()
    # The end of use is 5 s before the expiration.
    clock.advance(HOUR - 5 - left)
    irsa_creds.provider()._engine.snapshot.refresh_at = clock.now() + 100
    url_of(s3, 900)
    url_of(s3, 1800)
    assert sts.calls == calls


def test_a_short_url_does_not_wait(clock: FakeClock, sts: FakeSts) -> None:
    s3 = client()
    clock.advance(58 * MINUTE)
    sts.hold.clear()
    assert key_of(url_of(s3, 60)) == FIRST


def test_an_ordinary_request_does_not_wait_where_a_presigned_url_does(
    clock: FakeClock, sts: FakeSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = client()
    clock.advance(58 * MINUTE)
    sts.hold.clear()
    signed: list[str] = []
    s3.meta.events.register_last(
        "request-created.s3", lambda request, **_: signed.append(request.headers["Authorization"])
    )
    s3.list_buckets()
    assert FIRST in str(signed[0])


def test_concurrent_urls_wait_for_one_refresh(clock: FakeClock, sts: FakeSts) -> None:
    s3 = client()
    clock.advance(58 * MINUTE)
    keys: list[str] = []
    threads = [
        threading.Thread(target=lambda: keys.append(key_of(url_of(s3, 900)))) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert keys == [SECOND] * 20
    assert sts.calls == 2


# -- if STS fails ----------------------------------------------------------------------------------


def test_if_sts_fails_the_url_is_signed_and_one_warning_names_the_seconds(
    clock: FakeClock, sts: FakeSts, caplog: pytest.LogCaptureFixture
) -> None:
    s3 = client()
    clock.advance(58 * MINUTE)
    sts.down = failure("AccessDenied", retryable=False)
    caplog.set_level(logging.WARNING, "irsa_creds")
    barrier = threading.Barrier(20)

    def presign() -> None:
        barrier.wait(10)
        assert key_of(url_of(s3, 900)) == FIRST
        assert key_of(s3.generate_presigned_post("data", "report", ExpiresIn=800)) == FIRST

    threads = [threading.Thread(target=presign) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    found = [each for each in warnings(caplog) if "presigned" in each]
    assert len(found) == 1
    assert "for 900 s ends in 120 s" in found[0] or "for 800 s ends in 120 s" in found[0]
    assert "AccessDenied" in found[0]
    assert irsa_creds.provider().role_arn in found[0]
    assert len(found[0]) <= 300
    assert sts.calls == 2


def test_after_a_failure_no_url_waits_for_an_sts_that_hangs(clock: FakeClock, sts: FakeSts) -> None:
    s3 = client()
    clock.advance(50 * MINUTE)
    sts.down = failure("ServiceUnavailable")
    assert key_of(url_of(s3, 900)) == FIRST
    join_refreshes()
    sts.down = None
    sts.hold.clear()
    clock.advance(2 * MINUTE)
    assert key_of(url_of(s3, 900)) == FIRST
    eventually(lambda: sts.calls == 3)


def test_each_key_that_signs_short_urls_has_a_warning_of_its_own(
    clock: FakeClock, sts: FakeSts, caplog: pytest.LogCaptureFixture
) -> None:
    s3 = client()
    for _ in range(2):
        clock.advance(58 * MINUTE)
        sts.down = failure("ServiceUnavailable")
        url_of(s3, 900)
        join_refreshes()
        sts.down = None
        clock.advance(2 * MINUTE)
        url_of(s3, 900)
    assert len([each for each in warnings(caplog) if "ends in 120 s" in each]) == 2


def test_no_warning_is_logged_if_the_key_that_is_left_is_enough_for_the_url(
    clock: FakeClock, sts: FakeSts, caplog: pytest.LogCaptureFixture
) -> None:
    s3 = client()
    clock.advance(58 * MINUTE)
    # The role's maximum was lowered: the new key has less than the window of the old one.
    sts.lifetime = 900
    assert key_of(url_of(s3, 900)) != FIRST
    assert warnings(caplog) == []


def test_without_valid_credentials_the_error_is_that_of_a_request(
    clock: FakeClock, sts: FakeSts, caplog: pytest.LogCaptureFixture
) -> None:
    s3 = client()
    clock.advance(HOUR)
    sts.down = failure("AccessDenied", retryable=False)
    with pytest.raises(CredentialRetrievalError, match="AccessDenied"):
        url_of(s3, 900)
    assert sts.calls == 2
    assert not [each for each in warnings(caplog) if "presigned" in each]


# -- URLs that no key lasts for --------------------------------------------------------------------


def test_a_url_for_more_than_the_lifetime_never_waits_for_it_and_warns_once_an_hour(
    clock: FakeClock, sts: FakeSts, caplog: pytest.LogCaptureFixture
) -> None:
    s3 = client()
    clock.advance(10 * MINUTE)
    for _ in range(3):
        assert key_of(url_of(s3, DAY)) == FIRST
    [found] = warnings(caplog)
    assert "for 86400 s ends in 3000 s" in found
    assert "last 3600 s at most" in found
    assert "duration_seconds" in found
    assert "the role's maximum session duration" in found
    assert irsa_creds.provider().role_arn in found
    assert len(found) <= 300
    assert sts.calls == 1
    clock.advance(59 * MINUTE)
    url_of(s3, DAY)
    assert len(warnings(caplog)) == 1
    clock.advance(2 * MINUTE)
    url_of(s3, DAY)
    assert len(warnings(caplog)) == 2
    url_of(boto3.client("s3"), DAY)
    assert len(warnings(caplog)) == 2


def test_each_identity_has_a_warning_of_its_own_of_urls_for_more_than_the_lifetime(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("red", "blue", "red"):
        provider = irsa_creds.provider(session_name=name)
        url_of(irsa_creds.boto3_session(provider=provider).client("s3"), DAY)
    assert len([each for each in warnings(caplog) if "last 3600 s at most" in each]) == 2


def test_a_url_for_the_lifetime_has_no_warning(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    s3 = client()
    clock.advance(10 * MINUTE)
    s3.generate_presigned_url("get_object", OBJECT)
    assert warnings(caplog) == []


@pytest.mark.parametrize("seconds", ["soon", float("nan"), -1, object(), 10**400])
def test_an_expires_in_that_is_not_a_number_of_seconds_is_left_to_botocore(
    seconds: Any, clock: FakeClock, sts: FakeSts
) -> None:
    s3 = client()
    clock.advance(58 * MINUTE)
    sts.hold.clear()

    def outcome(presign: Callable[..., str]) -> str | type[Exception]:
        try:
            return key_of(presign(s3, "get_object", OBJECT, ExpiresIn=seconds))
        except Exception as error:  # noqa: BLE001 - whatever botocore raises
            return type(error)

    wrapped: Any = type(s3).generate_presigned_url
    assert outcome(wrapped) == outcome(wrapped.__wrapped__)


@pytest.mark.parametrize("arguments", [{}, {"strict": True}])
def test_urls_of_a_boto3_session_of_irsa_creds_outlast_their_seconds(
    arguments: dict[str, Any], clock: FakeClock
) -> None:
    irsa_creds.uninstall()
    s3 = irsa_creds.boto3_session(**arguments).client("s3")
    assert key_of(url_of(s3, 900)) == FIRST
    clock.advance(58 * MINUTE)
    assert key_of(url_of(s3, 900)) == SECOND


# -- other clients ---------------------------------------------------------------------------------


def test_a_client_with_keys_of_its_own_starts_no_refresh(clock: FakeClock, sts: FakeSts) -> None:
    session = boto3.Session()
    session.get_credentials().get_frozen_credentials()
    clock.advance(58 * MINUTE)
    s3 = session.client("s3", aws_access_key_id="AKIDOTHER", aws_secret_access_key="other")
    assert key_of(url_of(s3, 900)) == "AKIDOTHER"
    assert sts.calls == 1


def test_a_client_that_signs_nothing_starts_no_refresh(clock: FakeClock, sts: FakeSts) -> None:
    s3 = client(signature_version=UNSIGNED)
    clock.advance(58 * MINUTE)
    assert "Signature" not in url_of(s3, 900)
    assert sts.calls == 1


def test_wrong_arguments_raise_botocores_errors() -> None:
    s3 = client()
    with pytest.raises(TypeError, match="ClientMethod"):
        s3.generate_presigned_url()
    with pytest.raises(UnknownClientMethodError):
        s3.generate_presigned_url("get_objects")


def test_the_methods_keep_their_names_and_documentation() -> None:
    s3 = client()
    assert s3.generate_presigned_url.__name__ == "generate_presigned_url"
    assert "presigned url" in s3.generate_presigned_url.__doc__


def test_after_uninstall_new_clients_have_botocores_own_methods() -> None:
    session = Session()
    session.get_credentials()
    irsa_creds.uninstall()
    made = session.create_client("s3", aws_access_key_id="a", aws_secret_access_key="b")
    assert not hasattr(type(made).generate_presigned_url, "__wrapped__")


def test_botocore_knows_the_credentials_of_a_client() -> None:
    s3 = client()
    assert compat.client_credentials(s3).get_frozen_credentials().access_key == FIRST
    assert compat.client_credentials(object()) is None
