"""Every way in which the token can be missing or invalid gives one clear message."""

from __future__ import annotations

import base64
import os
import pickle
import socket
import tempfile
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from traceback import walk_tb
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from irsa_creds._errors import Failure, TokenError
from irsa_creds._identity.token import Token, TokenCall, TokenFile, claims_of, issuer_of_file
from sts_server import CLAIMS, JWT, jwt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "token"


def failure_of(source: TokenFile | TokenCall) -> Failure:
    with pytest.raises(TokenError) as caught:
        source.read()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    failure = caught.value.failure
    assert failure is not None
    assert failure.kind == "token"
    assert str(caught.value) == failure.text()
    assert failure.message.endswith(".")
    assert "\n" not in failure.message + failure.line()
    return failure


def test_a_jwt_is_read_with_its_claims_and_without_its_newline(path: Path) -> None:
    path.write_text(f"  {JWT}\n")
    os.utime(path, (1_767_600_000, 1_767_600_000))
    token = TokenFile(str(path)).read()
    assert token.value == JWT
    assert token.claims == CLAIMS
    assert token.fingerprint == Token(JWT).fingerprint
    assert token.written == datetime(2026, 1, 5, 8, tzinfo=UTC)


def test_an_opaque_token_passes_without_claims(path: Path) -> None:
    path.write_text("opaque-token")
    token = TokenFile(str(path)).read()
    assert (token.value, token.claims) == ("opaque-token", None)


def test_a_token_never_shows_itself() -> None:
    token = Token(JWT)
    assert JWT not in repr(token)
    assert "3 segments" in repr(token)
    with pytest.raises(TypeError, match="does not pickle"):
        pickle.dumps(token)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a.b",
        "a.b.c.d",
        "a.!!!.c",
        "é.é.é",
        jwt(["a", "list"]),
        "a." + base64.urlsafe_b64encode(b"[" * 9_000).decode() + ".c",
        "a." + base64.urlsafe_b64encode(b"\xff\xfe\xfd").decode() + ".c",
        "a." + base64.urlsafe_b64encode(b"9" * 9_000).decode() + ".c",
        jwt({"long": "x" * 20_000}),
    ],
)
def test_a_token_that_is_not_a_jwt_has_no_claims(value: str) -> None:
    assert claims_of(value) is None


def test_the_error_of_a_missing_file_names_the_variable(path: Path) -> None:
    failure = failure_of(TokenFile(str(path)))
    assert failure.code == "TokenFileMissing"
    assert str(path) in failure.message
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in failure.advice
    assert failure.bad_token
    assert not failure.retryable


def test_a_path_through_a_file_is_missing(path: Path) -> None:
    path.write_text("x")
    assert failure_of(TokenFile(str(path / "token"))).code == "TokenFileMissing"


def test_the_swap_of_the_kubelet_is_retried(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(JWT)
    source = TokenFile(str(path))
    whole = source._open_and_read
    troubles: list[type[OSError]] = [FileNotFoundError, NotADirectoryError]

    def read() -> Any:
        if troubles:
            raise troubles.pop()
        return whole()

    monkeypatch.setattr(source, "_open_and_read", read)
    assert source.read().value == JWT


@pytest.fixture
def unprivileged() -> Callable[[], AbstractContextManager[None]]:
    """Run as a user without root, because file modes do not apply to root."""

    @contextmanager
    def being() -> Iterator[None]:
        root = os.geteuid() == 0
        groups = (os.getegid(), os.getgroups())
        if root:
            os.setgroups([])
            os.setegid(65_534)
            os.seteuid(65_534)
        try:
            yield
        finally:
            if root:
                os.seteuid(0)
                os.setegid(groups[0])
                os.setgroups(groups[1])

    return being


def test_the_error_of_an_unreadable_file_names_process_and_owner(
    unprivileged: Callable[[], AbstractContextManager[None]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "token"
        path.write_text(JWT)
        path.chmod(0o000)
        with unprivileged():
            failure = failure_of(TokenFile(str(path)))
        assert failure.code == "TokenFileUnreadable"
        assert f"(uid {os.getuid()}, gid {os.getgid()}, mode 0000)" in failure.message
        assert "fsGroup" in failure.advice
        assert failure.bad_token


def test_the_error_of_a_file_in_an_unreadable_directory_says_so(
    unprivileged: Callable[[], AbstractContextManager[None]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "token"
        path.write_text(JWT)
        Path(folder).chmod(0o000)
        with unprivileged():
            failure = failure_of(TokenFile(str(path)))
        Path(folder).chmod(0o700)
        assert failure.code == "TokenFileUnreadable"
        assert "in a directory without permission" in failure.message


def test_the_error_of_an_unreadable_file_needs_no_user_ids(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(JWT)
    source = TokenFile(str(path))
    monkeypatch.setattr(source, "_open_and_read", raiser(PermissionError(13, "Permission denied")))
    monkeypatch.delattr("os.geteuid")
    assert "cannot be read by this user: Permission denied" in failure_of(source).message


def raiser(error: BaseException) -> Any:
    def call() -> NoReturn:
        raise error

    return call


def test_an_input_output_error_is_retryable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = TokenFile(str(path))
    monkeypatch.setattr(source, "_open_and_read", raiser(OSError(5, "Input/output error")))
    failure = failure_of(source)
    assert failure.code == "TokenFileUnreadable"
    assert "Input/output error" in failure.message
    assert failure.retryable


def test_a_path_with_a_null_character_is_unreadable() -> None:
    source = TokenFile("a\0b")
    assert failure_of(source).code == "TokenFileUnreadable"
    assert source.version() is None


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("hvs.canary", "(10 characters, without a slash)"),
        ("canary" * 1_000, "(6,000 characters, without a slash)"),
        ("/run/" + "canary" * 1_000, "'/run/***'"),
    ],
)
def test_a_token_given_as_a_path_is_not_shown(path: str, shown: str) -> None:
    failure = failure_of(TokenFile(path))
    assert f"The token file {shown} " in failure.message
    assert "canary" not in repr(failure)


@pytest.mark.parametrize("content", ["\ufeffcanary", "can\nary canary", "canary" * 10_000])
def test_no_frame_of_an_error_keeps_the_content(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(TokenError) as caught:
        TokenFile(str(path)).read()
    frames = [frame for frame, _ in walk_tb(caught.value.__traceback__)][1:]
    assert frames
    assert not [frame for frame in frames if "canary" in repr(frame.f_locals)]


def test_a_file_with_an_impossible_time_gives_its_token(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(JWT)
    fstat = os.fstat

    def in_the_year_14645(file: int) -> object:
        seen = fstat(file)
        known = {name: getattr(seen, name) for name in dir(seen) if name.startswith("st_")}
        return SimpleNamespace(**{**known, "st_mtime": 4e11})

    monkeypatch.setattr("irsa_creds._identity.token.os.fstat", in_the_year_14645)
    token = TokenFile(str(path)).read()
    assert (token.value, token.written) == (JWT, None)


def test_an_empty_file_is_retried(path: Path) -> None:
    path.write_text(" \n")
    failure = failure_of(TokenFile(str(path)))
    assert failure.code == "TokenFileEmpty"
    assert (failure.retryable, failure.attempts, failure.bad_token) == (True, 3, True)


def test_a_directory_is_not_a_token(tmp_path: Path) -> None:
    failure = failure_of(TokenFile(str(tmp_path)))
    assert failure.code == "TokenFileInvalid"
    assert "is a directory" in failure.message
    assert failure.bad_token


@pytest.mark.timeout(10)
def test_a_fifo_does_not_hang(path: Path) -> None:
    os.mkfifo(path)
    assert "is a FIFO" in failure_of(TokenFile(str(path))).message


def test_a_device_is_not_a_token() -> None:
    assert "is a device" in failure_of(TokenFile("/dev/zero")).message


def test_a_socket_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("token")
        assert failure_of(TokenFile("token")).code == "TokenFileUnreadable"


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (b"\xef\xbb\xbf" + JWT.encode(), "byte order mark"),
        (JWT.encode("utf-16"), "byte order mark"),
        (b"\xff\xff" + JWT.encode(), "not UTF-8"),
        (b"a\nb", "unprintable"),
        (b"a\x00b", "unprintable"),
        (b"x" * 20_001, "more than 20,000 characters"),
        (b"x" * 5_000_000, "more than 20,000 characters"),
    ],
)
def test_the_error_of_an_invalid_file_says_why(path: Path, content: bytes, trouble: str) -> None:
    path.write_bytes(content)
    failure = failure_of(TokenFile(str(path)))
    assert failure.code == "TokenFileInvalid"
    assert trouble in failure.message
    assert failure.bad_token
    assert JWT not in failure.text()


def test_the_longest_token_that_sts_accepts_passes(path: Path) -> None:
    path.write_text("x" * 20_000)
    assert len(TokenFile(str(path)).read().value) == 20_000


def test_the_version_changes_with_content_mode_and_the_swap(tmp_path: Path) -> None:
    link = tmp_path / "token"
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_text("a")
    second.write_text("a")
    link.symlink_to(first)
    source = TokenFile(str(link))
    before = source.version()
    assert source.version() == before
    assert before is not None
    first.chmod(0o400)
    after_chmod = source.version()
    first.write_text("ab")
    after_write = source.version()
    os.replace(tmp_path / "2", tmp_path / "3")  # noqa: PTH105
    swap = tmp_path / "swap"
    swap.symlink_to(tmp_path / "3")
    swap.replace(link)
    assert len({before, after_chmod, after_write, source.version()}) == 4
    link.unlink()
    assert source.version() is None


def test_a_callable_returns_a_token() -> None:
    token = TokenCall(lambda: f" {JWT}\n").read()
    assert (token.value, token.claims, token.written) == (JWT, CLAIMS, None)
    version: Callable[[], object] = TokenCall(lambda: JWT).version
    assert version() is None


@pytest.mark.parametrize(
    "error", [ValueError(f"bad answer {JWT}"), SystemExit(1), GeneratorExit(), RuntimeError()]
)
def test_an_exception_of_a_callable_is_shown_masked(error: BaseException) -> None:
    failure = failure_of(TokenCall(raiser(error)))
    assert failure.code == "TokenCallableFailed"
    assert type(error).__name__ in failure.message
    assert JWT not in failure.text()
    assert failure.retryable
    assert not failure.bad_token


def test_an_exception_that_cannot_be_printed_is_shown_by_its_class() -> None:
    class SilentError(Exception):
        def __str__(self) -> NoReturn:
            raise ValueError

    assert "SilentError: (no message)" in failure_of(TokenCall(raiser(SilentError()))).message


def test_a_keyboard_interrupt_passes_through() -> None:
    with pytest.raises(KeyboardInterrupt):
        TokenCall(raiser(KeyboardInterrupt())).read()


@pytest.mark.parametrize(
    ("value", "trouble"),
    [
        (None, "type NoneType"),
        (JWT.encode(), "type bytes"),
        (" ", "is empty"),
        ("a\nb", "unprintable"),
        ("x" * 20_001, "more than 20,000"),
    ],
)
def test_the_error_of_a_callable_says_what_it_returned(value: Any, trouble: str) -> None:
    failure = failure_of(TokenCall(lambda: value))
    assert failure.code == "TokenCallableFailed"
    assert trouble in failure.message
    assert not failure.retryable


def test_a_coroutine_is_closed_and_an_error() -> None:
    async def fetch() -> str:
        return JWT

    call: Any = fetch
    assert "type coroutine" in failure_of(TokenCall(call)).message


def test_the_issuer_of_a_file_is_known_only_if_its_token_names_one(path: Path) -> None:
    assert issuer_of_file(str(path)) is None
    for content, issuer in [
        (jwt({"iss": "https://oidc.example/id"}), "https://oidc.example/id"),
        (jwt({"iss": 1}), None),
        ("opaque", None),
    ]:
        path.write_text(content)
        assert issuer_of_file(str(path)) == issuer
