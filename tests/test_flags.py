from __future__ import annotations

import pytest

from irsa_creds import _flags
from irsa_creds._flags import number, switch

NAME = "IRSA_CREDS_DISABLE"


@pytest.mark.parametrize("word", ["1", "true", "True", " yes ", "ON"])
def test_words_for_on(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, word)
    assert switch(NAME, default=False)


@pytest.mark.parametrize("word", ["0", "false", "No", "off", ""])
def test_words_for_off(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, word)
    assert not switch(NAME, default=True)


@pytest.mark.parametrize("default", [True, False])
def test_an_unset_switch_is_at_its_default(default: bool) -> None:  # noqa: FBT001 - a parameter of the table
    assert switch(NAME, default=default) is default


def test_any_other_word_warns_once_and_means_the_default(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _flags._warn.cache_clear()
    monkeypatch.setenv(NAME, "maybe")
    assert [switch(NAME, default=True), switch(NAME, default=True)] == [True, True]
    assert caplog.messages == [f"{NAME}='maybe' is neither 1 nor 0. The default (on) is used."]


LIMIT = "IRSA_CREDS_MAX_PROVIDERS"


@pytest.mark.parametrize(("text", "means"), [("1", 1), (" 0200 ", 200), ("999999999", 999_999_999)])
def test_a_whole_number(text: str, means: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, text)
    assert number(LIMIT, default=8) == means


def test_an_unset_or_empty_number_is_at_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert number(LIMIT, default=8) == 8
    monkeypatch.setenv(LIMIT, " ")
    assert number(LIMIT, default=8) == 8


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "1_000", "٣", "1" * 5000, "8\n9"])
def test_an_invalid_number_warns_once_and_means_the_default(
    text: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _flags._warn.cache_clear()
    monkeypatch.setenv(LIMIT, text)
    assert [number(LIMIT, default=8), number(LIMIT, default=8)] == [8, 8]
    what = "not a whole number from 1 to 999999999"
    assert caplog.messages == [f"{LIMIT}={text[:40]!r} is {what}. The default (8) is used."]
