"""The page "Native clients": pandas, pyarrow, deltalake, pyiceberg and duckdb read from S3."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest
from pyarrow import csv, parquet, table

from docs.markdown import block
from frameworks.test_pages import run, start

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from irsa_creds.testing import Sandbox

pytestmark = pytest.mark.real

TABLE = table({"a": [1, 2, 3]})
EXEC = ["-m", "irsa_creds", "exec", "--", sys.executable]
INSTALL = "import irsa_creds; irsa_creds.install()\n"
WITHOUT_S3FS = "import sys; sys.modules['s3fs'] = None\n"
READ_PARQUET = "import pandas; print(len(pandas.read_parquet('s3://data/table.parquet')))"
READ_CSV = "import pandas; print(len(pandas.read_csv('s3://data/table.csv')))"
FSSPEC = """\
import fsspec
with fsspec.open("s3://data/table.csv") as file: print(len(file.readlines()) - 1)
"""
PYARROW = """\
from pyarrow import fs, parquet
files, path = fs.FileSystem.from_uri("s3://data/table.parquet")
print(type(files).__name__, parquet.read_table(path, filesystem=files).num_rows)
"""
COUNT = "print(len(query.execute('select * from numbers').read_all()))"
# Not `to_pyarrow_table`, after which every second process aborts at its end.
DELTA = """\
import deltalake, pyarrow
table = deltalake.DeltaTable("s3://data/delta")
deltalake.write_deltalake(table, pyarrow.table({"a": [4, 5, 6]}), mode="append")
query = deltalake.QueryBuilder().register("numbers", deltalake.DeltaTable("s3://data/delta"))
"""
# With arguments, pyarrow's client of S3 does not know AWS_ENDPOINT_URL.
ENDPOINT = """\
import functools, os, irsa_creds.pyarrow as module
endpoint = os.environ["AWS_ENDPOINT_URL"]
module.file_system = functools.partial(module.file_system, endpoint_override=endpoint)
"""
ICEBERG = """\
import os, pyiceberg.io
properties = {"s3.endpoint": os.environ["AWS_ENDPOINT_URL"]}
files = pyiceberg.io.load_file_io(properties, "s3://data/table.csv")
print(type(files).__name__, files.new_input("s3://data/table.csv").open().read().count(b"\\n"))
"""


@pytest.fixture
def environ(sandbox: Sandbox, tmp_path: Path) -> Mapping[str, str]:
    """The variables of a pod whose bucket has tables; the sandbox's S3 has no TLS."""
    # Not at the top: the hermetic tests collect this file, and do not have it.
    from deltalake import write_deltalake

    pod = sandbox.deploy(bucket="data")
    written, lines = io.BytesIO(), io.BytesIO()
    parquet.write_table(TABLE, written)
    csv.write_csv(TABLE, lines)
    write_deltalake(str(tmp_path / "delta"), TABLE)
    objects = {
        "table.parquet": written.getvalue(),
        "events/0.parquet": written.getvalue(),
        "table.csv": lines.getvalue(),
    } | {
        str(each.relative_to(tmp_path)): each.read_bytes()
        for each in (tmp_path / "delta").rglob("*")
        if each.is_file()
    }
    s3 = sandbox.client("s3")
    for key, content in objects.items():
        s3.put_object(Bucket="data", Key=key, Body=content)
    sandbox.reset_calls()
    return {**pod.environ, "AWS_ALLOW_HTTP": "true"}


@pytest.fixture(autouse=True)
def _signed_with_one_key_of_the_pod(environ: Mapping[str, str], sandbox: Sandbox) -> Iterator[None]:
    """Check that all requests had the key of one STS call."""
    yield
    (call,) = sandbox.sts_calls
    assert call.outcome == "OK"
    assert {each.access_key_id for each in sandbox.s3_identities} == {call.access_key_id}


@pytest.mark.parametrize(
    ("program", "output"),
    [
        pytest.param(READ_PARQUET, "3", id="pandas, parquet"),
        pytest.param(READ_CSV, "3", id="pandas, csv"),
        pytest.param(PYARROW, "S3FileSystem 3", id="pyarrow"),
        pytest.param(DELTA + COUNT, "6", id="deltalake"),
        pytest.param(ICEBERG, "PyArrowFileIO 4", id="pyiceberg"),
    ],
)
def test_exec_reaches_a_program_with_a_native_client(
    program: str, output: str, environ: Mapping[str, str], tmp_path: Path
) -> None:
    assert run(tmp_path, environ, *EXEC, "-c", program) == f"{output}\n"


@pytest.mark.parametrize("program", [READ_CSV, FSSPEC], ids=["pandas", "fsspec"])
def test_install_reaches_pandas_and_fsspec_where_they_use_s3fs(
    program: str, environ: Mapping[str, str], tmp_path: Path
) -> None:
    assert run(tmp_path, environ, "-c", f"{INSTALL}{program}") == "3\n"


def test_pandas_reads_parquet_with_pyarrows_client_and_with_storage_options_needs_s3fs(
    environ: Mapping[str, str], tmp_path: Path
) -> None:
    program = f"{WITHOUT_S3FS}{READ_PARQUET}"
    assert run(tmp_path, environ, *EXEC, "-c", program) == "3\n"
    program = program.replace("parquet')", "parquet', storage_options={})")
    assert "Install s3fs" in start(tmp_path, environ, "-c", program).stderr


def test_pandas_and_pyarrow_read_with_file_system(
    environ: Mapping[str, str], tmp_path: Path
) -> None:
    program = block("howto/native-clients.md", "pyarrow_files.py")
    more = "print(len(table), len(frame))"
    assert run(tmp_path, environ, "-c", f"{ENDPOINT}{program}\n{more}") == "3 3\n"


def test_libraries_that_take_s3fs_read_with_it(environ: Mapping[str, str], tmp_path: Path) -> None:
    program = block("howto/native-clients.md", "with_s3fs.py")
    read = "files.new_input('s3://data/table.csv').open().read()"
    more = f"print(len(frame), len(table), {read}.count(b'\\n'))"
    assert run(tmp_path, environ, "-c", f"{program}\n{more}") == "[(3,)]\n3 3 4\n"


def test_deltalake_reads_with_storage_options(environ: Mapping[str, str], tmp_path: Path) -> None:
    program = block("howto/native-clients.md", "delta_table.py")
    more = "query = deltalake.QueryBuilder().register('numbers', table)\n" + COUNT
    assert run(tmp_path, environ, "-c", f"{program}\n{more}") == "3\n"
