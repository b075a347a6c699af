"""Recognizable secrets, and a detector that looks for them in everything that can be observed."""

from __future__ import annotations

import gc
import logging
import pickle
import re
import traceback
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, quote_plus

import irsa_creds
from sts_server import SECRET_KEY, SESSION_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "OPAQUE",
    "PASSWORD",
    "SECRETS",
    "TOKEN",
    "Witness",
    "chain",
    "internals",
    "locals_of_library",
    "older_objects_set_aside",
]

# The payload is {"iss": "https://issuer.example", "sub": "pod", "aud": ["sts"]}: all may be shown.
_PAYLOAD = "eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwic3ViIjoicG9kIiwiYXVkIjpbInN0cyJdfQ"
_SIGNATURE = "canary-signature-of-the-token"
TOKEN = f"eyJhbGciOiJSUzI1NiJ9.{_PAYLOAD}.{_SIGNATURE}"
# Not a known format, and with characters that a form encodes: only the exact value can be masked.
OPAQUE = "canary/opaque+token"
PASSWORD = "canary-proxy-password"
SECRETS = (
    TOKEN,
    _PAYLOAD,
    _SIGNATURE,
    OPAQUE,
    quote_plus(OPAQUE),
    quote(OPAQUE),
    PASSWORD,
    SECRET_KEY,
    quote_plus(SECRET_KEY),
    SESSION_TOKEN,
    SESSION_TOKEN[:40],
)
_WINDOW = 12


@dataclass
class Witness(logging.Handler):
    """Hears every logger at DEBUG and every warning, and is shown what else there is."""

    heard: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(logging.DEBUG)
        # Tracebacks included, as a file of logs would have them.
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    __hash__ = logging.Handler.__hash__

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self._level = root.level
        root.setLevel(logging.DEBUG)
        root.addHandler(self)
        self._warnings = warnings.catch_warnings(record=True)
        self._warned = self._warnings.__enter__()
        warnings.simplefilter("always")
        return self

    def __exit__(self, *_: object) -> None:
        self._warnings.__exit__(None, None, None)
        logging.getLogger().removeHandler(self)
        logging.getLogger().setLevel(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(self.format(record))
        # What a handler that keeps the parts would store.
        self.heard.append(repr({**vars(record), "exc_info": None}))
        if record.exc_info and record.exc_info[1]:
            self.see_error(record.exc_info[1])

    def see(self, *things: object) -> None:
        """Look at how things show themselves."""
        self.heard += [f"{thing!r} {thing}" for thing in things]

    def see_error(self, error: BaseException) -> None:
        """Look at an error, its traceback, and all that hangs on it."""
        self.heard += traceback.format_exception(error)
        for each in chain(error):
            self.see(each, each.args, vars(each))

    def see_locals(self, error: BaseException) -> None:
        """Look at what rich or Sentry would show beside the traceback: the locals of its frames."""
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if Path(frame.f_code.co_filename).parent != Path(__file__).parent:
                self.see(*_with_parts(frame.f_locals.values()))

    def see_pickle(self, thing: object) -> None:
        """Look into a pickle, and into what comes out of it."""
        data = pickle.dumps(thing)
        self.heard.append(data.decode("latin-1"))
        self.see(pickle.loads(data))

    def find(self) -> list[str]:
        """Return every place where a secret is seen."""
        self.see(*(warning.message for warning in self._warned or ()))
        return [text for text in self.heard if _shows_a_secret(text)]


def _shows_a_secret(text: str) -> bool:
    plain = _plain(text)
    return any(secret in text for secret in SECRETS) or any(piece in plain for piece in _PIECES)


def _plain(text: str) -> str:
    """Return the letters and digits of a text."""
    return re.sub(r"[\W_]+", "", text)


# A server may put anything between the characters that it echoes.
_PIECES = {
    plain[start : start + _WINDOW]
    for plain in map(_plain, (TOKEN, OPAQUE, SESSION_TOKEN))
    for start in range(len(plain) - _WINDOW + 1)
}


def _with_parts(things: Iterable[object]) -> Iterator[object]:
    """Yield objects and their contents, whatever their repr shows."""
    for thing in things:
        yield thing
        if isinstance(thing, tuple):
            yield from _with_parts(thing)


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error with all its causes and contexts, shown or not."""
    seen: list[Any] = [error]
    for each in seen:
        yield each
        seen += [e for e in (each.__cause__, each.__context__) if e and e not in seen]


#: The library's objects that are older than the tests of the current file.
_older: list[object] = []


def _is_ours(thing: object) -> bool:
    module = str(type(thing).__module__)
    return f"{module}.".startswith("irsa_creds.") and not module.startswith("irsa_creds.testing")


@contextmanager
def older_objects_set_aside() -> Iterator[None]:
    """Let `internals` look through the objects that live already only now.

    A process that has run thousands of tests has a million of them, and none becomes ours.
    """
    gc.collect()
    _older[:] = filter(_is_ours, gc.get_objects())
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        _older.clear()


def internals() -> list[object]:
    """Return every object of the library in this process."""
    # The failure of an earlier test is garbage, but in circles through its traceback.
    gc.collect()
    return [*_older, *filter(_is_ours, gc.get_objects())]


def locals_of_library(error: BaseException) -> Iterator[str]:
    """Yield the local variables of a traceback from the library's first frame on."""

    def shown(value: object) -> Iterator[str]:
        yield repr(value)
        # rich and Sentry look into tuples, whatever these say of themselves.
        if isinstance(value, tuple):
            for each in value:
                yield from shown(each)

    library = str(Path(irsa_creds.__file__).parent)
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    for frame in dropwhile(lambda each: library not in each.f_code.co_filename, frames):
        for value in frame.f_locals.values():
            yield from shown(value)
