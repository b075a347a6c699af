"""A process that is a pod's for a while, and what is left of that."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws
from opentelemetry.sdk.metrics import MeterProvider

import irsa_creds
from irsa_creds.opentelemetry import _INSTRUMENTATION, instrument
from irsa_creds.testing import in_a_pod
from irsa_creds.testing._plugin import pod_environment
from testing.pod_environ import NOWHERE, there

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds.testing import Irsa, Issuer

pytest_plugins = ["pytest_irsa_creds"]


# -- what is left afterwards -----------------------------------------------------------------------


def visit(issuer: Issuer, act: Callable[[Irsa], object]) -> None:
    """Let `act` be a test of its own."""
    with pytest.MonkeyPatch.context() as patch, pod_environment(patch, issuer, {}) as irsa:
        act(irsa)


def test_whatever_a_test_patches_besides_the_outer_variables_come_back(
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

    visit(issuer, act)
    assert (dict(os.environ), boto3.DEFAULT_SESSION) == (before, session)
    assert providers[0].status().state == "empty", "its credentials are forgotten"
    visit(issuer, lambda irsa: boto3.client("s3").list_objects_v2(Bucket="data"))


def test_what_an_application_installs_when_a_test_first_imports_it_stays(issuer: Issuer) -> None:
    def is_ours(_: object) -> None:
        assert isinstance(boto3.Session().get_credentials(), irsa_creds.botocore.IrsaCredentials)

    visit(issuer, lambda _: irsa_creds.install())
    visit(issuer, is_ours)


def test_each_test_may_measure_with_a_meter_provider_of_its_own(issuer: Issuer) -> None:
    for _ in range(2):
        visit(issuer, lambda _: instrument(meter_provider=MeterProvider([])))
    assert _INSTRUMENTATION.active is None


def test_what_an_application_measures_before_the_test_goes_on(issuer: Issuer) -> None:
    stop = instrument(meter_provider=MeterProvider([]))
    begun = _INSTRUMENTATION.active
    visit(issuer, lambda _: None)
    assert _INSTRUMENTATION.active is begun is not None
    stop()


def test_a_library_that_was_never_installed_is_none_the_worse(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "irsa_creds._botocore.install",
        "irsa_creds._shared_cache.store",
        "irsa_creds.opentelemetry",
    ):
        monkeypatch.delitem(sys.modules, name, raising=False)
    visit(issuer, lambda irsa: irsa.client("s3").list_buckets())


# -- beyond one test -------------------------------------------------------------------------------


def test_a_block_is_in_a_pod_and_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    before = dict(os.environ)
    with in_a_pod(bucket="reports") as irsa:
        boto3.client("s3").put_object(Bucket="reports", Key="hello", Body=b"world")
        assert there() == {**irsa.environ, **NOWHERE}
    assert dict(os.environ) == before


def test_one_process_is_in_one_pod_at_a_time(irsa: Irsa) -> None:
    with pytest.raises(RuntimeError, match="Another Sandbox is open"), in_a_pod():
        pass
    assert there() == {**irsa.environ, **NOWHERE}


def test_the_buckets_of_a_mock_that_is_active_are_not_emptied() -> None:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="mine")
        with pytest.raises(RuntimeError, match="moto's mock_aws is active"), in_a_pod():
            pass
        assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["mine"]
    with in_a_pod():
        pass
