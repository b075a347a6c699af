"""A log line has at most 300 characters; all modules of the library use the same logger."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import irsa_creds
from irsa_creds._engine.subscribers import Subscribers

if TYPE_CHECKING:
    import pytest

    from irsa_creds import Event

LIMIT = 300


def test_a_subscribers_long_exception_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    def bad(_: Event) -> None:
        raise ValueError("disk full " * 60)

    subscribers = Subscribers()
    subscribers.subscribe(bad)
    subscribers.put([("TokenRotated", ("arn:aws:iam::123456789012:role/shop",))])
    subscribers.deliver()
    (line,) = caplog.messages
    assert line.startswith(
        "A subscriber to irsa_creds stays subscribed after it raised ValueError: disk full disk"
    )
    assert line.endswith("...")
    assert len(line) == LIMIT


def test_a_line_of_300_characters_keeps_its_format_and_values(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logging.getLogger("irsa_creds").warning("%s: %s", "x" * 200, "y" * 98)
    (record,) = caplog.records
    assert record.msg == "%s: %s"
    assert len(record.getMessage()) == LIMIT


def test_all_modules_use_the_logger_with_the_limit() -> None:
    source = Path(irsa_creds.__file__).parent
    loggers = {
        name
        for path in source.rglob("*.py")
        if "testing" not in path.parts
        for name in re.findall(r'getLogger\("(.*?)"\)', path.read_text())
    }
    assert loggers == {"irsa_creds"}
