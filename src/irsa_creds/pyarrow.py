"""A file system of pyarrow whose credentials are refreshed, for pyarrow, pandas and others.

pyarrow's own `S3FileSystem` takes keys once, and has no way to ask for newer ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyarrow.fs import FileSystemHandler, PyFileSystem, S3FileSystem

if TYPE_CHECKING:
    from pyarrow import NativeFile
    from pyarrow.fs import FileInfo, FileSelector

    from irsa_creds._credentials import Credentials
    from irsa_creds._provider import Provider

__all__ = ["file_system"]


def file_system(provider: Provider, **options: Any) -> PyFileSystem:
    """Return a file system of S3, with pyarrow's own client, for `filesystem=` of its functions.

    It replaces the client after a refresh. A file that is open keeps the credentials with which it
    was opened. It pickles as its arguments, never with secrets.

    Args:
        provider: the provider of the credentials.
        options: of `pyarrow.fs.S3FileSystem`, such as `region=`, without keys.
    """
    return PyFileSystem(_Handler(provider, options))


class _Handler(FileSystemHandler):
    """The file system as pyarrow calls it.

    Args:
        provider: the provider of the credentials.
        options: of the client.
    """

    def __init__(self, provider: Provider, options: dict[str, Any]) -> None:
        self._provider = provider
        self._options = options
        # Replaced as a whole: pyarrow calls from several threads.
        self._made: tuple[Credentials, S3FileSystem] | None = None

    def _client(self) -> S3FileSystem:
        given, made = self._provider.get(), self._made
        if made is None or made[0] is not given:
            client = S3FileSystem(
                access_key=given.access_key_id,
                secret_key=given.secret_access_key,
                session_token=given.session_token,
                **self._options,
            )
            made = self._made = given, client
        return made[1]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Handler) and self.__reduce__() == other.__reduce__()

    # Equal ones have one provider.
    def __hash__(self) -> int:
        return hash(self._provider)

    def __repr__(self) -> str:
        return f"<file system of {self._provider.role_arn}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _Handler, (self._provider, self._options)

    def get_type_name(self) -> str:
        return "irsa-creds+s3"

    def normalize_path(self, path: str) -> str:
        # It sends no request, and must not wait for credentials.
        return path

    def get_file_info(self, paths: list[str]) -> list[FileInfo]:
        found: list[FileInfo] = self._client().get_file_info(paths)
        return found

    def get_file_info_selector(self, selector: FileSelector) -> list[FileInfo]:
        found: list[FileInfo] = self._client().get_file_info(selector)
        return found

    def create_dir(self, path: str, recursive: bool) -> None:  # noqa: FBT001 - pyarrow's signature
        self._client().create_dir(path, recursive=recursive)

    def delete_dir(self, path: str) -> None:
        self._client().delete_dir(path)

    def delete_dir_contents(
        self,
        path: str,
        missing_dir_ok: bool = False,  # noqa: FBT001, FBT002 - pyarrow's own signature
    ) -> None:
        self._client().delete_dir_contents(path, missing_dir_ok=missing_dir_ok)

    def delete_root_dir_contents(self) -> None:
        self._client().delete_dir_contents("/", accept_root_dir=True)

    def delete_file(self, path: str) -> None:
        self._client().delete_file(path)

    def move(self, src: str, dest: str) -> None:
        self._client().move(src, dest)

    def copy_file(self, src: str, dest: str) -> None:
        self._client().copy_file(src, dest)

    # Without compression: pyarrow wraps the stream itself, where a program asks for it.
    def open_input_stream(self, path: str) -> NativeFile:
        return self._client().open_input_stream(path, compression=None)

    def open_input_file(self, path: str) -> NativeFile:
        return self._client().open_input_file(path)

    def open_output_stream(self, path: str, metadata: Any) -> NativeFile:
        return self._client().open_output_stream(path, compression=None, metadata=metadata)

    def open_append_stream(self, path: str, metadata: Any) -> NativeFile:
        return self._client().open_append_stream(path, compression=None, metadata=metadata)
