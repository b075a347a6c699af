from __future__ import annotations

import io
from typing import TYPE_CHECKING

import polars as pl
import pytest

import irsa_creds
from irsa_creds import adapters
from irsa_creds.adapters import PolarsCredentials

if TYPE_CHECKING:
    from integrations.conftest import Workload

NUMBERS = pl.DataFrame({"number": [1, 2, 3]})
PLAIN = {"aws_allow_http": "true"}


@pytest.fixture(autouse=True)
def _numbers(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put tables into the bucket; let polars, on the real clock, call again after a second."""
    written = io.BytesIO()
    NUMBERS.write_parquet(written)
    s3 = workload.sandbox.client("s3")
    s3.put_object(Bucket="data", Key="numbers.parquet", Body=written.getvalue())
    s3.put_object(Bucket="data", Key="numbers.ndjson", Body=NUMBERS.write_ndjson().encode())
    workload.sandbox.reset_calls()
    monkeypatch.setattr(adapters, "_KEEP_SECONDS", 1.0)


def test_scans_work_across_refreshes(workload: Workload) -> None:
    credentials = PolarsCredentials(irsa_creds.provider())
    scan = pl.scan_parquet(
        "s3://data/numbers.parquet", credential_provider=credentials, storage_options=PLAIN
    )
    for _ in workload.turns():
        assert scan.collect().equals(NUMBERS)


def test_reads_and_writes_work_across_refreshes(workload: Workload) -> None:
    credentials = PolarsCredentials(irsa_creds.provider())
    for _ in workload.turns():
        NUMBERS.write_parquet(
            "s3://data/written.parquet", credential_provider=credentials, storage_options=PLAIN
        )
        found = pl.read_ndjson(
            "s3://data/numbers.ndjson", credential_provider=credentials, storage_options=PLAIN
        )
        assert found.equals(NUMBERS)


def test_polars_finds_credentials_of_irsa_creds_after_install(workload: Workload) -> None:
    irsa_creds.install()
    # "allow_http": with "aws_allow_http" polars would not look for credentials itself.
    found = pl.read_parquet("s3://data/numbers.parquet", storage_options={"allow_http": "true"})
    assert found.equals(NUMBERS)
    assert workload.used == workload.given
    (call,) = workload.sandbox.sts_calls
    assert call.headers["User-Agent"].startswith("irsa-creds/")


def test_a_pickled_query_has_no_secret(workload: Workload) -> None:
    provider = irsa_creds.provider()
    scan = pl.scan_parquet(
        "s3://data/numbers.parquet",
        credential_provider=PolarsCredentials(provider),
        storage_options=PLAIN,
    )
    scan.collect()
    travels = scan.serialize()
    for secret in (provider.get().secret_access_key, provider.get().session_token):
        assert secret.encode() not in travels
    assert pl.LazyFrame.deserialize(io.BytesIO(travels)).collect().equals(NUMBERS)
    assert len(workload.given) == 1


def test_polars_distinguishes_providers_of_two_environments(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> None:
        credentials = PolarsCredentials(irsa_creds.provider())
        pl.read_parquet(
            "s3://data/numbers.parquet", credential_provider=credentials, storage_options=PLAIN
        )

    read()
    other = workload.sandbox.deploy(service_account="other", role="other-role")
    monkeypatch.setenv("AWS_ROLE_ARN", other.role_arn)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(other.token_file))
    workload.sandbox.reset_calls()
    read()
    assert {(each.arn or "").split("/")[1] for each in workload.sandbox.s3_identities} == {
        "other-role"
    }


def test_without_credentials_a_query_fails_with_the_error_of_irsa_creds(workload: Workload) -> None:
    workload.sandbox.faults.fail("AccessDenied")
    credentials = PolarsCredentials(irsa_creds.provider())
    with pytest.raises(irsa_creds.ExchangeError, match="AccessDenied"):
        pl.read_parquet(
            "s3://data/numbers.parquet", credential_provider=credentials, storage_options=PLAIN
        )
