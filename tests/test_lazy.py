"""What a flight imports is there before it starts."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from irsa_creds._lazy import IMPORT_LOCK, load_certificates, load_exchange_modules
from stsserver import ROLE, StsServer, refuse, success

PROGRAM = textwrap.dedent(
    """
    import sys
    from irsa_creds._config import Config
    from irsa_creds._lazy import load_certificates, load_exchange_modules
    from irsa_creds._sts import Answer, Exchange
    from irsa_creds._token import Token

    config = Config(role_arn={role!r}, session_name="pod", region="eu-west-1")
    load_exchange_modules()
    # What https needs beside them is loaded under the same lock.
    load_certificates()
    before = set(sys.modules)
    for url in sys.argv[1:]:
        exchange = Exchange(Config(role_arn={role!r}, session_name="pod", endpoint_url=url))
        exchange.attempt(Token.of("a.b.c"), 5)
        exchange.close()
    Exchange(config).url
    print(*sorted(set(sys.modules) - before))
    """
).format(role=ROLE)


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_an_exchange_imports_nothing_that_was_not_loaded_before() -> None:
    with StsServer([success()]) as good, StsServer([refuse("AccessDenied")]) as bad:
        assert not run(
            good.url, bad.url, "http://unknown.invalid", "https://localhost:1", good.url + "/é"
        )


def test_importing_the_exchange_imports_no_botocore() -> None:
    program = "import sys, irsa_creds._sts; print('botocore' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["False"]


@pytest.mark.parametrize("name", ["botocore.endpoint_provider", "certifi"])
def test_what_botocore_may_lack_is_not_missed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    load_exchange_modules()
    load_certificates()


def test_whoever_holds_the_lock_may_load() -> None:
    with IMPORT_LOCK:
        load_exchange_modules()
