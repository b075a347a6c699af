import os
import subprocess
import sys

import pytest
import report_writer
from botocore.exceptions import ClientError
from report_writer import write_report

DAY = "2026-11-25"


@pytest.fixture
def orders(irsa):
    """Two files of orders, put there by an administrator."""
    s3 = irsa.client("s3")
    s3.put_object(Bucket="data", Key=f"orders/{DAY}/1.csv", Body="shop,amount\nwest,3\neast,1\n")
    s3.put_object(Bucket="data", Key=f"orders/{DAY}/2.csv", Body="shop,amount\nwest,4\n")


def test_the_report_sums_up_the_day(irsa, orders):
    key = write_report("data", DAY)
    report = irsa.client("s3").get_object(Bucket="data", Key=key)["Body"].read()
    assert report == b"shop,amount\neast,1\nwest,7\n"


def test_it_runs_as_a_program(irsa, orders):
    program = [sys.executable, report_writer.__file__, DAY]
    environ = {**os.environ, "REPORTS_BUCKET": "data"}
    done = subprocess.run(program, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == f"reports/{DAY}.csv\n"


def test_a_throttled_sts_costs_an_attempt_and_no_report(irsa, orders):
    irsa.faults.fail("Throttling", times=1)
    write_report("data", DAY)
    assert [call.outcome for call in irsa.sandbox.sts_calls] == ["Throttling", "OK"]


def test_another_service_account_writes_no_report(irsa, irsa_token):
    guest = irsa_token(sub="system:serviceaccount:default:guest")
    irsa.pod.volume.write(guest)
    with pytest.raises(ClientError, match="AccessDenied"):
        write_report("data", DAY)


@pytest.mark.irsa(bucket="archive")
def test_a_role_for_another_bucket_writes_no_report(irsa):
    irsa.client("s3").create_bucket(Bucket="data")
    with pytest.raises(ClientError, match="not authorized to perform: s3:ListBucket"):
        write_report("data", DAY)
