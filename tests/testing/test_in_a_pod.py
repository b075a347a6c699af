"""A process that is in a pod for a while, and what remains afterwards."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws
from opentelemetry.sdk.metrics import MeterProvider

import irsa_creds
from irsa_creds.botocore import IrsaCredentials
from irsa_creds.opentelemetry import _INSTRUMENTATION, instrument
from irsa_creds.testing import in_a_pod
from irsa_creds.testing._plugin import pod_environment
from testing.pod_environ import NO_CONFIG_FILES, aws_environ

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds.testing import Irsa, Issuer

pytest_plugins = ["pytest_irsa_creds"]


# -- after a test ----------------------------------------------------------------------------------


def run_in_pod(issuer: Issuer, act: Callable[[Irsa], object]) -> None:
    """Run `act` as a test in a pod."""
    with pytest.MonkeyPatch.context() as patch, pod_environment(patch, issuer, {}) as irsa:
        act(irsa)


def test_the_outer_variables_are_restored_after_any_patch(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    before = dict(os.environ)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_PROFILE", "patched before")
        with pod_environment(patch, issuer, {}):
            patch.setenv("AWS_PROFILE", "patched afterwards")
            patch.delenv("AWS_ROLE_ARN")
            patch.undo()
            patch.setenv("AWS_REGION", "eu-west-1")
    assert dict(os.environ) == before


def test_a_test_leaves_nothing_behind(issuer: Issuer) -> None:
    before, session = dict(os.environ), boto3.DEFAULT_SESSION
    providers = []

    def act(irsa: Irsa) -> None:
        irsa_creds.install()
        boto3.client("s3").list_objects_v2(Bucket="data")
        providers.append(irsa_creds.provider())
        irsa.sandbox.issuer.reachable = False

    run_in_pod(issuer, act)
    assert (dict(os.environ), boto3.DEFAULT_SESSION) == (before, session)
    assert providers[0].status().state == "empty", "its credentials are dropped"
    run_in_pod(issuer, lambda irsa: boto3.client("s3").list_objects_v2(Bucket="data"))


def test_install_stays_for_the_next_test(issuer: Issuer) -> None:
    def uses_irsa_creds(_: object) -> None:
        assert isinstance(boto3.Session().get_credentials(), IrsaCredentials)

    run_in_pod(issuer, lambda _: irsa_creds.install())
    run_in_pod(issuer, uses_irsa_creds)


def test_each_test_can_use_its_own_meter_provider(issuer: Issuer) -> None:
    for _ in range(2):
        run_in_pod(issuer, lambda _: instrument(meter_provider=MeterProvider([])))
    assert _INSTRUMENTATION.active is None


def test_an_earlier_instrumentation_is_not_stopped(issuer: Issuer) -> None:
    stop = instrument(meter_provider=MeterProvider([]))
    active = _INSTRUMENTATION.active
    run_in_pod(issuer, lambda _: None)
    assert _INSTRUMENTATION.active is active is not None
    stop()


def test_it_works_if_the_library_was_never_imported(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "irsa_creds._sessions.install",
        "irsa_creds._shared_cache.store",
        "irsa_creds.opentelemetry",
    ):
        monkeypatch.delitem(sys.modules, name, raising=False)
    run_in_pod(issuer, lambda irsa: irsa.client("s3").list_buckets())


# -- beyond one test -------------------------------------------------------------------------------


def test_only_the_block_is_in_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    before = dict(os.environ)
    with in_a_pod(bucket="reports") as irsa:
        boto3.client("s3").put_object(Bucket="reports", Key="hello", Body=b"world")
        assert aws_environ() == {**irsa.environ, **NO_CONFIG_FILES}
    assert dict(os.environ) == before


def test_a_process_can_be_in_one_pod_at_a_time(irsa: Irsa) -> None:
    with pytest.raises(RuntimeError, match="Another Sandbox is open"), in_a_pod():
        pass
    assert aws_environ() == {**irsa.environ, **NO_CONFIG_FILES}


def test_an_active_mock_keeps_its_buckets() -> None:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="mine")
        with pytest.raises(RuntimeError, match="moto's mock_aws is active"), in_a_pod():
            pass
        assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["mine"]
    with in_a_pod():
        pass
