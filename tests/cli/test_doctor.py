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

NOT_CALLED = "STS not called; run with --online."
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
        Check("N01", "unknown", "Not known."),
    )
)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs the command and returns its status and output."""

    def ran(*arguments: str) -> tuple[int, str, str]:
        status = main(["doctor", *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return ran


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> Callable[[Diagnosis], list[Mapping[str, Any]]]:
    """Return a function that sets the result of `doctor` and returns the list of its calls."""

    def find(diagnosis: Diagnosis) -> list[Mapping[str, Any]]:
        calls: list[Mapping[str, Any]] = []

        def found(**arguments: Any) -> Diagnosis:
            calls.append(arguments)
            return diagnosis

        monkeypatch.setattr("irsa_creds.cli._doctor.doctor", found)
        return calls

    return find


@pytest.fixture
def in_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that gives this process the environment of a pod."""

    def enter(**changes: Any) -> None:
        lab = Lab(tmp_path, **changes)
        for name, value in lab._environ(lab._token_file()).items():
            monkeypatch.setenv(name, value)

    return enter


def test_failures_and_warnings_come_first_with_their_fix_below(
    run: Callable[..., tuple[int, str, str]], finds: Callable[[Diagnosis], object]
) -> None:
    finds(FOUND)
    assert run() == (
        1,
        """\
failures
  F01  fail     It is so long that one line of a terminal does not hold it, and goes on in the next
                one below.
                fix:
                  ls -la /var/run
                    kubectl get pods
warnings
  C02  warn     It never runs.
environment
  E01  ok       Both are set.
network
  N01  unknown  Not known.

6 checks: 1 fail (F01), 1 warn (C02), 1 unknown, 1 ok, 2 skipped (list with --all)
Not checked: trust policy (--policy), manifest (--manifest).
STS not called; run with --online.
""",
        "",
    )


def test_all_prints_skipped_checks(
    run: Callable[..., tuple[int, str, str]], finds: Callable[[Diagnosis], object]
) -> None:
    finds(FOUND)
    _, out, _ = run("--all")
    assert "manifest\n  M01  skipped  No manifest.\n" in out
    assert "1 ok, 2 skipped\nNot checked: trust" in out


@pytest.mark.parametrize(
    ("options", "last"),
    [
        ([], NOT_CALLED),
        (["--policy", "p"], NOT_CALLED),
        (["--online"], "Not checked: trust policy (--policy), manifest (--manifest)."),
        (["--online", "--policy", "p", "--manifest", "m"], "1 checks: 1 ok"),
    ],
)  # fmt: skip
def test_the_last_line_says_what_was_not_checked(
    options: list[str],
    last: str,
    run: Callable[..., tuple[int, str, str]],
    finds: Callable[[Diagnosis], object],
) -> None:
    finds(Diagnosis((Check("E01", "ok", ""),)))
    status, out, _ = run(*options)
    assert status == 0
    assert out.startswith("environment\n  E01  ok       \n\n1 checks: 1 ok\n")
    assert out.splitlines()[-1] == last


def test_the_last_line_says_why_the_role_was_not_requested(
    run: Callable[..., tuple[int, str, str]], finds: Callable[[Diagnosis], object]
) -> None:
    finds(Diagnosis((Check("S01", "skipped", "STS was not reached."),)))
    last = run("--online", "--policy", "p", "--manifest", "m")[1].splitlines()[-1]
    assert last == "Role not requested: STS was not reached."


def test_the_last_line_of_container_credentials_is_about_their_endpoint(
    run: Callable[..., tuple[int, str, str]], finds: Callable[[Diagnosis], object]
) -> None:
    finds(Diagnosis((Check("A01", "ok", ""), Check("S01", "skipped", "STS is not needed."))))
    last = run("--policy", "p", "--manifest", "m")[1].splitlines()[-1]
    assert last == "Credentials endpoint not called; run with --online."
    last = run("--policy", "p", "--manifest", "m", "--online")[1].splitlines()[-1]
    assert last.startswith("2 checks:")


def test_the_last_line_says_that_only_the_manifest_was_checked(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE", raising=False)
    manifest = tmp_path / "account.json"
    manifest.write_text(json.dumps({"kind": "ServiceAccount", "metadata": {"name": "app"}}))
    last = run("--manifest", str(manifest))[1].splitlines()[-1]
    assert last == "Only the manifest was checked, because this machine is not one of its pods."


def test_the_sum_names_each_failed_check_once(
    run: Callable[..., tuple[int, str, str]], finds: Callable[[Diagnosis], object]
) -> None:
    found = [Check(check_id, "fail", "No.") for check_id in ("M03", "M03", "M05")]
    finds(Diagnosis((*found, Check("V02", "warn", "Two."))))
    assert "4 checks: 3 fail (M03, M05), 1 warn (V02)\n" in run()[1]


def test_strict_makes_warnings_exit_with_3(
    run: Callable[..., tuple[int, str, str]], finds: Callable[[Diagnosis], object]
) -> None:
    finds(Diagnosis((Check("C02", "warn", "It never runs."),)))
    assert run()[0] == 0
    assert run("--strict")[0] == 3


def test_unreachable_sts_exits_with_4(
    run: Callable[..., tuple[int, str, str]], finds: Callable[[Diagnosis], object]
) -> None:
    finds(Diagnosis((Check("N02", "fail", "No way.", data={"reached": False}),)))
    assert run("--online")[0] == 4


def test_options_are_the_arguments_of_doctor(
    run: Callable[..., tuple[int, str, str]],
    finds: Callable[[Diagnosis], list[Mapping[str, Any]]],
) -> None:
    calls = finds(FOUND)
    run()
    run("--online", "--manifest", "m.yaml", "--policy", "p.json", "--profile", "dev")
    assert calls == [
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


def test_a_missing_file_is_wrong_usage(run: Callable[..., tuple[int, str, str]]) -> None:
    status, out, err = run("--manifest", "/nowhere/app.yaml")
    assert (status, out) == (2, "")
    assert "/nowhere/app.yaml" in err


@pytest.mark.parametrize("option", ["manifest", "policy"])
def test_the_error_names_the_kind_of_file(
    option: str, run: Callable[..., tuple[int, str, str]]
) -> None:
    _, _, err = run(f"--{option}", "nosuch.yaml")
    why = "No such file or directory"
    assert err == f"irsa-creds: error: The {option} 'nosuch.yaml' cannot be read: {why}.\n"
    # A name this long may be a token.
    _, _, err = run(f"--{option}", SECRET * 3)
    assert f"The {option} (81 characters, without a slash) cannot be read" in err
    assert SECRET not in err


def test_a_directory_is_to_be_rendered(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    status, _, err = run("--manifest", str(tmp_path))
    assert status == 2
    assert "Is a directory; use the output of `kubectl kustomize` or `helm template`." in err


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
    assert max(map(len, out.partition("warnings")[0].splitlines())) <= 60


@pytest.mark.parametrize("content", [None, "not json", "{}"])
def test_an_invalid_policy_is_wrong_usage_even_without_a_token(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "trust.json"
    if content is not None:
        path.write_text(content)
    assert run("--policy", str(path))[0] == 2


def test_an_unknown_option_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["doctor", "--offline"])
    assert stopped.value.code == 2


def test_a_correct_pod_exits_with_0(
    run: Callable[..., tuple[int, str, str]], in_pod: Callable[..., None]
) -> None:
    in_pod(claims=_now())
    status, out, _ = run()
    assert status == 0, out


def test_a_typo_has_a_fix_to_paste(
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


def test_claims_cannot_control_the_terminal(
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


def test_help_has_examples_and_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["doctor", "--help"])
    printed = capsys.readouterr().out
    assert "irsa-creds doctor --online" in printed
    assert "4 STS not reached" in printed


def _now() -> dict[str, int]:
    import time

    now = int(time.time())
    return {"iat": now - 600, "nbf": now - 600, "exp": now + 80_000}
