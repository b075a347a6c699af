from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from diagnosis.sample_pod import SECRET, Lab
from irsa_creds.cli import main
from irsa_creds.diagnosis._checks import Check, Diagnosis

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

LONG = (
    "It is so long that one line of a terminal does not hold it, and goes on in the next one below."
)
FOUND = Diagnosis(
    (
        Check("E01", "ok", "Both are set.", "export NOT=SHOWN"),
        Check("E02", "skipped", "Nothing to see."),
        Check("F01", "fail", LONG, "ls -la /var/run\n  kubectl get pods"),
        Check("C02", "warn", "It never runs."),
        Check("M01", "skipped", "No manifest."),
        Check("N01", "unknown", "Nobody knows."),
    )
)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs the command: its status and what it printed."""

    def ran(*arguments: str) -> tuple[int, str, str]:
        status = main(["doctor", *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return ran


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> Callable[[Diagnosis], list[Mapping[str, Any]]]:
    """Return a function that says what will be found; it gives the arguments that were passed."""

    def find(diagnosis: Diagnosis) -> list[Mapping[str, Any]]:
        asked: list[Mapping[str, Any]] = []

        def found(**arguments: Any) -> Diagnosis:
            asked.append(arguments)
            return diagnosis

        monkeypatch.setattr("irsa_creds.cli._doctor.doctor", found)
        return asked

    return find


@pytest.fixture
def in_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes this process that of a pod."""

    def enter(**changes: Any) -> None:
        lab = Lab(tmp_path, **changes)
        for name, value in lab._environ(lab._token_file()).items():
            monkeypatch.setenv(name, value)

    return enter


def test_it_is_grouped_and_each_failure_has_its_fix_below(
    run: Callable[..., tuple[int, str, str]], finds: Callable[[Diagnosis], object]
) -> None:
    finds(FOUND)
    assert run() == (
        1,
        """\
environment
  E01  ok       Both are set.
token file
  F01  fail     It is so long that one line of a terminal does not hold it, and goes on in the next
                one below.
                fix:
                  ls -la /var/run
                    kubectl get pods
credential chain
  C02  warn     It never runs.
network
  N01  unknown  Nobody knows.

6 checks: 1 fail, 1 warn, 1 unknown, 1 ok, 2 skipped (--all shows them); begin with F01
""",
        "",
    )


def test_what_was_skipped_is_shown_when_asked_for(
    run: Callable[..., tuple[int, str, str]], finds: Callable[[Diagnosis], object]
) -> None:
    finds(FOUND)
    _, out, _ = run("--all")
    assert "manifest\n  M01  skipped  No manifest.\n" in out
    assert out.endswith("2 skipped; begin with F01\n")


def test_where_nothing_fails_the_first_warning_is_where_to_begin(
    run: Callable[..., tuple[int, str, str]], finds: Callable[[Diagnosis], object]
) -> None:
    finds(Diagnosis((Check("C02", "warn", "It never runs."),)))
    assert run()[1].endswith("1 checks: 1 warn; begin with C02\n")


def test_where_all_is_well_there_is_nothing_to_begin_with(
    run: Callable[..., tuple[int, str, str]], finds: Callable[[Diagnosis], object]
) -> None:
    finds(Diagnosis((Check("E01", "ok", ""),)))
    status, out, _ = run()
    assert (status, out) == (0, "environment\n  E01  ok       \n\n1 checks: 1 ok\n")


def test_warnings_count_under_strict(
    run: Callable[..., tuple[int, str, str]], finds: Callable[[Diagnosis], object]
) -> None:
    finds(Diagnosis((Check("C02", "warn", "It never runs."),)))
    assert run()[0] == 0
    assert run("--strict")[0] == 3


def test_sts_that_is_not_reached_has_a_status_of_its_own(
    run: Callable[..., tuple[int, str, str]], finds: Callable[[Diagnosis], object]
) -> None:
    finds(Diagnosis((Check("N02", "fail", "No way.", data={"reached": False}),)))
    assert run("--online")[0] == 4


def test_its_options_are_doctors_arguments(
    run: Callable[..., tuple[int, str, str]],
    finds: Callable[[Diagnosis], list[Mapping[str, Any]]],
) -> None:
    asked = finds(FOUND)
    run()
    run("--online", "--manifest", "m.yaml", "--policy", "p.json", "--profile", "dev")
    assert asked == [
        {"online": False, "manifest": None, "policy": None, "profile": None},
        {"online": True, "manifest": "m.yaml", "policy": "p.json", "profile": "dev"},
    ]


def test_json_has_all_checks_and_nothing_else_is_printed(
    run: Callable[..., tuple[int, str, str]], finds: Callable[[Diagnosis], object]
) -> None:
    finds(FOUND)
    status, out, err = run("--json")
    assert (status, err) == (1, "")
    assert json.loads(out) == FOUND.as_dict()


def test_a_file_that_is_not_there_is_wrong_usage(run: Callable[..., tuple[int, str, str]]) -> None:
    status, out, err = run("--manifest", "/nowhere/app.yaml")
    assert (status, out) == (2, "")
    assert "/nowhere/app.yaml" in err


@pytest.mark.parametrize("option", ["manifest", "policy"])
def test_a_file_is_named_with_what_it_is_to_be(
    option: str, run: Callable[..., tuple[int, str, str]]
) -> None:
    _, _, err = run(f"--{option}", "nosuch.yaml")
    why = "No such file or directory"
    assert err == f"irsa-creds: error: The {option} 'nosuch.yaml' cannot be read: {why}.\n"
    # As long as this it may be a token in place of its file.
    _, _, err = run(f"--{option}", SECRET * 3)
    assert f"The {option} (81 characters, without a slash) cannot be read" in err
    assert SECRET not in err


def test_messages_are_as_wide_as_the_terminal(
    run: Callable[..., tuple[int, str, str]],
    finds: Callable[[Diagnosis], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finds(FOUND)
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = run()
    message = out.partition("F01  fail     ")[2].partition("  " * 8 + "fix:")[0]
    assert " ".join(message.split()) == LONG
    assert max(map(len, out.partition("credential chain")[0].splitlines())) <= 60


@pytest.mark.parametrize("content", [None, "not json", "{}"])
def test_a_policy_that_is_none_is_wrong_usage_even_without_a_token(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "trust.json"
    if content is not None:
        path.write_text(content)
    assert run("--policy", str(path))[0] == 2


def test_an_option_that_nobody_knows_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["doctor", "--offline"])
    assert stopped.value.code == 2


def test_a_sound_pod_is_well(
    run: Callable[..., tuple[int, str, str]], in_pod: Callable[..., None]
) -> None:
    in_pod(claims=_now())
    status, out, _ = run()
    assert status == 0, out


def test_a_pod_with_a_typo_is_told_what_to_paste(
    run: Callable[..., tuple[int, str, str]], in_pod: Callable[..., None]
) -> None:
    in_pod(claims={**_now(), "aud": ["sts.amazon.com"]})
    status, out, _ = run()
    assert status == 1
    assert "T03  fail" in out
    assert (
        "                  kubectl annotate --overwrite serviceaccount app --namespace prod \\\n"
        "                    eks.amazonaws.com/audience=sts.amazonaws.com\n"
    ) in out


def test_what_anybody_wrote_into_a_token_does_not_steer_the_terminal(
    run: Callable[..., tuple[int, str, str]], in_pod: Callable[..., None]
) -> None:
    in_pod(claims={**_now(), "aud": ["\x1b[2J\x1b[31mred"], "sub": "a\nE01 ok"})
    _, out, _ = run()
    assert "\x1b" not in out
    assert "\n  E01 ok" not in out


def test_no_secret_is_printed(
    run: Callable[..., tuple[int, str, str]], in_pod: Callable[..., None]
) -> None:
    in_pod(content="{token}\n", environ={"AWS_SECRET_ACCESS_KEY": SECRET})
    for arguments in ((), ("--json",), ("--all",)):
        assert SECRET not in "".join(run(*arguments)[1:])


def test_help_teaches_by_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["doctor", "--help"])
    printed = capsys.readouterr().out
    assert "irsa-creds doctor --online" in printed
    assert "4 STS not reached" in printed


def _now() -> dict[str, int]:
    import time

    now = int(time.time())
    return {"iat": now - 600, "nbf": now - 600, "exp": now + 80_000}
