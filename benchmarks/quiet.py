"""Programs that need credentials rarely: presigned URLs, and keys that are held for half an hour.

Both libraries run their own code on a clock that this program moves; STS grants an hour. The times
of irsa-creds's refreshes are random, so each figure is the worst or the mean of several days.

- Presigning after a quiet time of up to two hours, with the clients of both libraries. irsa-creds
  has no timer here, so that the credentials are as old as they can be. The figure is the seconds
  for which the shortest of the URLs for 900 s works. Target: all of them.
- A program takes the keys every half an hour, sometimes up to a minute later, and uses them until
  the next time; alone, and beside requests of the same process every 10 s. The figure is the time
  with expired keys in a day. Target: no more than with botocore.
- A process reads once and never again. Target: at most 4 STS calls in a day.
"""

from __future__ import annotations

import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.config import Config
from botocore.credentials import DeferredRefreshableCredentials
from botocore.session import Session

import irsa_creds
from benchmarks._bench import Row
from irsa_creds._credentials import Credentials
from irsa_creds._engine.engine import Engine
from irsa_creds._engine.subscribers import Subscribers
from irsa_creds._engine.waiting import acquire
from irsa_creds._exchange.sts import ExchangeResult
from irsa_creds._exchange.token_fetcher import WebIdentityFetcher
from irsa_creds._identity.token import Token
from irsa_creds._provider import REGISTRY

if TYPE_CHECKING:
    from irsa_creds._exchange.advice import Assertion

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
_URL_SECONDS = 900
_HOLD = 30 * _MINUTE
_DAYS = 20
_IDLE_CALLS = 4
_ROLE = "arn:aws:iam::123456789012:role/app"


class _Clock:
    """Both clocks, moved by hand."""

    def __init__(self, seed: int | None = None) -> None:
        self.at = 0.0
        self.uniform = Random(seed).uniform

    def now(self) -> float:
        return self.at

    def wall(self) -> float:
        return 1_800_000_000.0 + self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def date(self) -> datetime:
        return datetime.fromtimestamp(self.wall(), UTC)


class _Sts:
    """An STS for both sides; a key's name has the second in which it expires."""

    def __init__(self, clock: _Clock) -> None:
        self.clock = clock
        self.calls = 0

    def credentials(self) -> Credentials:
        self.calls += 1
        expiration = self.clock.date() + timedelta(seconds=_HOUR)
        return Credentials(f"ASIA{self.clock.at + _HOUR:016.3f}", "secret", "token", expiration)

    # -- for botocore's credentials object

    def metadata(self) -> dict[str, str]:
        found = self.credentials()
        keys = {"access_key": found.access_key_id, "secret_key": "secret", "token": "token"}
        return {**keys, "expiry_time": found.expiration.isoformat()}

    def for_botocore(self) -> Any:
        return DeferredRefreshableCredentials(self.metadata, "bench", time_fetcher=self.clock.date)

    # -- for irsa-creds, in the place of its client of STS

    def attempt(self, token: Assertion, seconds: float) -> ExchangeResult:
        del token, seconds
        # The client's `Date` is a second earlier, since it has whole seconds.
        found = self.credentials()
        return ExchangeResult(found, self.clock.date() - timedelta(seconds=1))

    def reset_after_fork(self) -> None:
        self.calls = 0


def _left(key: str, clock: _Clock) -> float:
    return float(key.removeprefix("ASIA")) - clock.at


def _join_refreshes() -> None:
    for thread in threading.enumerate():
        if thread.name == "irsa-creds-refresh":
            thread.join()


# -- presigned URLs --------------------------------------------------------------------------------


def _shortest_url(client: Any, clock: _Clock) -> float:
    """Return for how many seconds the shortest URL works, after quiet times of up to two hours."""
    shortest = float("inf")
    for minutes in range(121):
        clock.at += minutes * _MINUTE
        url = client.generate_presigned_url("get_object", {"Bucket": "a", "Key": "b"}, _URL_SECONDS)
        [credential] = parse_qs(urlsplit(url).query)["X-Amz-Credential"]
        shortest = min(shortest, _URL_SECONDS, _left(credential.split("/")[0], clock))
        _join_refreshes()
    return shortest


def _urls_of_botocore() -> float:
    clock = _Clock()
    session = Session()
    # The only way to give a session an object of botocore.
    session._credentials = _Sts(clock).for_botocore()  # noqa: SLF001
    return _shortest_url(_client_of(boto3.Session(botocore_session=session)), clock)


def _urls_of_ours() -> float:
    clock = _Clock()
    sts = _Sts(clock)
    with tempfile.TemporaryDirectory() as folder:
        token = Path(folder, "token")
        token.write_text("a.b.c")
        variables = {
            "AWS_ROLE_ARN": _ROLE,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
            "IRSA_CREDS_BACKGROUND": "0",
        }
        with (
            patch.dict("os.environ", variables),
            patch.object(REGISTRY, "_clock", clock),
            patch("irsa_creds._exchange.sources.sts_client", lambda _: sts),
        ):
            try:
                return _shortest_url(_client_of(irsa_creds.boto3_session(strict=True)), clock)
            finally:
                irsa_creds.uninstall()
                irsa_creds.reset()


def _client_of(session: boto3.Session) -> Any:
    config = Config(signature_version="s3v4")
    return session.client("s3", region_name="eu-west-1", config=config)


# -- keys that are held ----------------------------------------------------------------------------


class _TokenSource:
    """A token that stays."""

    def read(self) -> Token:
        return Token("a.b.c")

    def version(self) -> object:
        return None


class _Timer:
    """The instant at which the engine is to be called next; the simulation calls it."""

    def __init__(self) -> None:
        self.at = float("inf")

    def schedule(self, engine: object, at: float) -> None:
        del engine
        self.at = at

    def ensure_running(self) -> bool:
        return True


class _Ours:
    """irsa-creds's engine, whose timer runs between two reads."""

    def __init__(self, clock: _Clock, sts: _Sts) -> None:
        self._clock = clock
        self._timer = _Timer()
        fetcher = WebIdentityFetcher(_ROLE, _TokenSource(), lambda: sts, ceiling=_HOUR, clock=clock)
        self._engine = Engine(fetcher, clock, self._timer, Subscribers())

    def run_until(self, instant: float) -> None:
        while self._timer.at <= instant:
            self._clock.at, self._timer.at = max(self._clock.at, self._timer.at), float("inf")
            self._engine.tick()
            _join_refreshes()
        self._clock.at = instant

    def read_at(self, instant: float) -> str:
        self.run_until(instant)
        found = acquire(self._engine)
        _join_refreshes()
        return found.credentials.access_key_id


class _Botocore:
    """botocore's own credentials object."""

    def __init__(self, clock: _Clock, sts: _Sts) -> None:
        self._clock = clock
        self._credentials = sts.for_botocore()

    def read_at(self, instant: float) -> str:
        self._clock.at = instant
        key: str = self._credentials.get_frozen_credentials().access_key
        return key


def _day(
    side: type[_Ours | _Botocore], seed: int, *, lateness: float, requests: float
) -> tuple[float, int]:
    """Return the seconds of a day in which the held keys are expired, and the STS calls.

    Args:
        side: the library.
        seed: of the random numbers.
        lateness: seconds by which each time of the holder is later, at most.
        requests: seconds between two requests of the same process; 0 for none.
    """
    clock = _Clock(seed)
    sts = _Sts(clock)
    reader = side(clock, sts)
    late = Random(seed + _DAYS)
    # The process has run for some time when the holder starts.
    starts_at = late.uniform(0, _HOUR) if requests else 0.0
    expired = at = 0.0
    takes_at = starts_at
    while at < _DAY:
        if at == takes_at:
            left = _left(reader.read_at(at), clock)
            takes_at = at + _HOLD + late.uniform(0, lateness)
            expired += max(0.0, takes_at - at - left)
        else:
            reader.read_at(at)
        at = min(takes_at, at + requests) if requests else takes_at
    return expired, sts.calls


def _holder(title: str, *, lateness: float = 0.0, requests: float = 0.0) -> Row:
    means = []
    for side in (_Botocore, _Ours):
        days = [_day(side, seed, lateness=lateness, requests=requests) for seed in range(_DAYS)]
        means.append([sum(each) / _DAYS for each in zip(*days, strict=True)])
    (theirs, their_calls), (ours, our_calls) = means
    return Row(
        f"keys that a program holds for 30 min, simulated day: expired, {title}",
        "s",
        theirs,
        ours,
        "<= 1 x",
        # Not a millisecond: instants are sums of floating-point numbers.
        ours <= theirs + 0.001,
        f"STS calls: {their_calls:.0f}, {our_calls:.0f}",
    )


def _idle() -> Row:
    """Return how many calls a process makes in a day if it reads once."""
    calls = []
    for seed in range(_DAYS):
        clock = _Clock(seed)
        sts = _Sts(clock)
        ours = _Ours(clock, sts)
        ours.read_at(0.0)
        ours.run_until(_DAY)
        calls.append(sts.calls)
    most = max(calls)
    title = "a process that reads once, simulated day: STS calls, at most"
    return Row(title, "", 1, most, f"<= {_IDLE_CALLS}", most <= _IDLE_CALLS)


def run() -> list[Row]:
    """Simulate."""
    theirs, ours = _urls_of_botocore(), _urls_of_ours()
    return [
        Row(
            f"presigned URL for {_URL_SECONDS} s after up to 2 quiet hours: works for, at least",
            "s",
            theirs,
            ours,
            f"{_URL_SECONDS} s",
            ours >= _URL_SECONDS,
            more=True,
        ),
        _holder("no other reads"),
        _holder("no other reads, each up to 1 min late", lateness=_MINUTE),
        _holder("a request every 10 s", requests=10.0),
        _idle(),
    ]
