"""The public names, and what an import loads."""

from __future__ import annotations

from textwrap import dedent

import pytest

import irsa_creds
from fresh_interpreter import python
from irsa_creds import diagnosis

NAMES = [
    "Check",
    "ConfigError",
    "Credentials",
    "Diagnosis",
    "Event",
    "ExchangeError",
    "Explanation",
    "Failure",
    "Finding",
    "IrsaError",
    "LastFailure",
    "PolicyError",
    "Provider",
    "RefreshFailed",
    "RefreshStarted",
    "RefreshSucceeded",
    "RefreshTimeout",
    "RoleConfig",
    "Status",
    "TokenError",
    "TokenRotated",
    "__version__",
    "aiobotocore_session",
    "boto3_session",
    "doctor",
    "explain",
    "install",
    "provider",
    "reset",
    "uninstall",
]


def test_completion_offers_what_is_public_and_nothing_else() -> None:
    assert dir(irsa_creds) == NAMES


def test_the_public_names_are_these() -> None:
    assert irsa_creds.__all__ == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(irsa_creds, name) is not None


def test_any_other_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'aws'"):
        _ = irsa_creds.aws
    with pytest.raises(AttributeError, match="no attribute 'aws'"):
        _ = diagnosis.aws


def test_an_import_loads_none_of_the_heavy_libraries() -> None:
    heavy = {"aiobotocore", "boto3", "botocore", "filelock", "urllib3"}
    code = f"import irsa_creds, sys; print(sorted({heavy} & sys.modules.keys()))"
    assert python(code) == "[]"


def test_install_imports_botocore_but_not_boto3() -> None:
    code = (
        "import irsa_creds, sys; irsa_creds.install(); "
        "print([name in sys.modules for name in ('botocore', 'boto3', 'aiobotocore')])"
    )
    assert python(code) == "[True, False, False]"


def test_cachetools_is_imported_with_the_second_identity() -> None:
    code = """
        import sys
        import irsa_creds

        for name in ("first", "first", "second"):
            irsa_creds.provider(
                role_arn="arn:aws:iam::123456789012:role/app",
                token_file="/token",
                region="eu-west-1",
                session_name=name,
            )
            print("cachetools" in sys.modules)
    """
    assert python(dedent(code)).split() == ["False", "False", "True"]


@pytest.mark.parametrize("then", ["pass", "irsa_creds.install()", "import boto3"])
def test_no_thread_starts_at_import(then: str) -> None:
    code = f"import irsa_creds, threading; {then}; print(threading.active_count())"
    assert python(code) == "1"


def test_a_fork_while_another_thread_loads_a_name_gives_a_child_that_works() -> None:
    code = """
        import os, signal, sys, threading, time
        import irsa_creds

        begun = threading.Event()

        class Slow:
            def find_spec(self, name, path, target=None):
                if name == "irsa_creds._identity.config":
                    begun.set()
                    # As slow as on a throttled CPU.
                    ends = time.monotonic() + 1
                    while time.monotonic() < ends:
                        pass

        sys.meta_path.insert(0, Slow())
        threading.Thread(target=lambda: irsa_creds.provider).start()
        begun.wait()
        pid = os.fork()
        if not pid:
            signal.alarm(20)
            print(irsa_creds.provider.__name__, flush=True)
            os._exit(0)
        print(os.waitpid(pid, 0)[1])
    """
    assert python(dedent(code)).split() == ["provider", "0"]
