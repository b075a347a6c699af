"""`irsa-creds exec`: libraries whose clients of S3 are in Rust get the pod's credentials."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from irsa_creds.testing import Sandbox

POLARS = """\
import sys; sys.modules["boto3"] = None
import polars
options = {"aws_allow_http": "true"}
polars.DataFrame({"a": [1, 2, 3]}).write_parquet("s3://data/new", storage_options=options)
print(polars.scan_parquet("s3://data/new", storage_options=options).collect().height)
"""
OBSTORE = """\
import obstore
from obstore.store import S3Store
store = S3Store("data", client_options={"allow_http": True})
obstore.put(store, "new", b"123")
print(len(obstore.get(store, "new").bytes()))
"""


@pytest.mark.parametrize("program", [POLARS, OBSTORE], ids=["polars", "obstore"])
def test_a_program_reads_and_writes_with_the_key_of_one_sts_call(
    program: str, sandbox: Sandbox
) -> None:
    pod = sandbox.deploy(bucket="data")
    sandbox.reset_calls()
    done = subprocess.run(
        [sys.executable, "-m", "irsa_creds", "exec", "--", sys.executable, "-c", program],
        env={"PATH": os.environ["PATH"], **pod.environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr
    (call,) = sandbox.sts_calls
    assert {each.access_key_id for each in sandbox.s3_identities} == {call.access_key_id}
