from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
from pyarrow import dataset, parquet, table
from pyarrow.fs import FileSelector, FileSystem, FileType

import irsa_creds
from irsa_creds.pyarrow import file_system

if TYPE_CHECKING:
    from integrations.conftest import Workload

TABLE = table({"a": [1, 2, 3]})


@pytest.fixture
def files(workload: Workload) -> FileSystem:
    return file_system(irsa_creds.provider(), endpoint_override=workload.sandbox.endpoint_url)


def test_a_file_system_works_across_refreshes(workload: Workload, files: FileSystem) -> None:
    for _ in workload.turns():
        assert files.open_input_stream("data/greeting").read() == b"hello"


def test_tables_and_datasets_are_written_and_read(files: FileSystem) -> None:
    parquet.write_table(TABLE, "data/table.parquet", filesystem=files)
    assert parquet.read_table("data/table.parquet", filesystem=files) == TABLE
    dataset.write_dataset(TABLE, "data/set", format="parquet", filesystem=files)
    assert dataset.dataset("data/set", filesystem=files).to_table() == TABLE


def test_all_its_functions_reach_s3(files: FileSystem) -> None:
    files.create_dir("data/folder/inner")
    with files.open_output_stream("data/folder/one", metadata={"Content-Type": "a/b"}) as stream:
        stream.write(b"1")
    with files.open_input_file("data/folder/one") as file:
        assert (file.size(), file.readall()) == (1, b"1")
    files.copy_file("data/folder/one", "data/folder/two")
    files.move("data/folder/two", "data/folder/three")
    found = files.get_file_info(FileSelector("data/folder"))
    assert {each.base_name for each in found} == {"inner", "one", "three"}
    files.delete_file("data/folder/three")
    files.delete_dir_contents("data/folder")
    files.delete_dir("data/folder")
    assert files.get_file_info("data/folder").type is FileType.NotFound
    with pytest.raises(NotImplementedError, match="append"):
        files.open_append_stream("data/greeting")
    with pytest.raises(NotImplementedError, match="delete all S3 buckets"):
        files.delete_dir_contents("", accept_root_dir=True)


def test_a_compressed_file_is_unpacked_once(files: FileSystem) -> None:
    with files.open_output_stream("data/text.gz") as stream:
        stream.write(b"text" * 100)
    assert files.open_input_stream("data/text.gz").read() == b"text" * 100
    assert files.open_input_stream("data/text.gz", compression=None).read()[:2] == b"\x1f\x8b"


def test_it_pickles_as_its_arguments_without_secrets(workload: Workload) -> None:
    provider = irsa_creds.provider()
    files = file_system(provider, endpoint_override=workload.sandbox.endpoint_url)
    files.get_file_info("data/greeting")
    pickled = pickle.dumps(files)
    assert provider.get().secret_access_key.encode() not in pickled
    assert pickle.loads(pickled) == files
    assert files != file_system(provider, region="us-east-1")
    assert files.handler != provider
    assert repr(files.handler) == f"<file system of {provider.role_arn}>"
    assert hash(files.handler) == hash(pickle.loads(pickled).handler)
    assert files.type_name == "py::irsa-creds+s3"
    assert files.normalize_path("data/greeting") == "data/greeting"


def test_without_credentials_its_functions_raise_the_error_of_the_provider(
    workload: Workload, files: FileSystem
) -> None:
    workload.sandbox.faults.fail("AccessDenied")
    with pytest.raises(irsa_creds.ExchangeError, match="AccessDenied"):
        files.get_file_info("data/greeting")
