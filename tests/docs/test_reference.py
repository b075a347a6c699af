"""The reference: every name, setting, event, check, option and field is there, and no other."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import inspect
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

import irsa_creds
from docs.markdown import ROOT, blocks
from docs.tables import named, page, rows, section
from irsa_creds._errors import ExchangeError, Failure
from irsa_creds.cli import _parser, main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from irsa_creds.testing._plugin import Irsa

SOURCE = ROOT / "src" / "irsa_creds"
PUBLIC = [
    "irsa_creds",
    "irsa_creds.adapters",
    "irsa_creds.aiobotocore",
    "irsa_creds.botocore",
    "irsa_creds.opentelemetry",
    "irsa_creds.testing",
]
EVENTS = [
    irsa_creds.RefreshStarted,
    irsa_creds.TokenRotated,
    irsa_creds.RefreshFailed,
    irsa_creds.RefreshSucceeded,
]
NOWHERE = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
COMMANDS = list(_parser.COMMANDS)


# -- API, events, errors ---------------------------------------------------------------------------


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_in_the_api(module: str) -> None:
    documented = set(re.findall(r"^\.\. [\w:]+:: ([\w.]+)", page("reference/api.md"), re.MULTILINE))
    public = importlib.import_module(module).__all__
    assert {f"{module}.{name}" for name in public} - documented == set()


def test_every_event_has_its_fields() -> None:
    text = page("reference/events.md")
    table = rows(text, "| event")
    assert [(row[0], re.findall(r"`(\w+)`", row[2])) for row in table] == [
        (f"`{each.__name__}`", [field.name for field in dataclasses.fields(each)])
        for each in EVENTS
    ]


@pytest.mark.parametrize(
    "kind", [*EVENTS, irsa_creds.Status, irsa_creds.LastFailure, ExchangeError, Failure]
)
def test_the_api_describes_every_field(kind: type[Any]) -> None:
    """The page renders the docstrings."""
    if issubclass(kind, ExchangeError):
        fields = [name for name, value in vars(kind).items() if isinstance(value, property)]
    elif issubclass(kind, Failure):
        fields = list(kind._fields)
    else:
        fields = list(inspect.signature(kind).parameters)
    *_, attributes = inspect.cleandoc(kind.__doc__ or "").partition("\nAttributes:\n")
    assert re.findall(r"(?m)^ {4}(\w+): ", attributes) == fields


def test_every_error_is_listed() -> None:
    tree = {
        name: kind
        for name in irsa_creds.__all__
        if isinstance(kind := getattr(irsa_creds, name), type) and issubclass(kind, Exception)
    }
    drawn = re.findall(r"^[\W_]*(\w+)", blocks("reference/errors.md")[0].text, re.MULTILINE)
    assert sorted(drawn) == sorted(tree)


# -- settings --------------------------------------------------------------------------------------

_VARIABLE = (
    r"\b(?:(?:AWS|IRSA_CREDS)_[A-Z][A-Z0-9_]*[A-Z0-9]|HTTPS?_PROXY|NO_PROXY|REQUESTS_CA_BUNDLE"
    r"|KUBERNETES_SERVICE_HOST|BOTO_CONFIG|NO_COLOR|TMPDIR|TERM)\b"
)


def constants() -> Iterator[str]:
    """Yield every text in the source."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_variable_is_among_the_settings_and_no_other() -> None:
    listed = {
        name
        for row in rows(page("reference/settings.md"))
        for cell in row
        for each in named(cell)
        for name in re.findall(_VARIABLE, each)
    }
    beside = {"AWS_EC2_METADATA_DISABLED", "AWS_ENDPOINT_URL_S3"}
    used = {name for each in constants() for name in re.findall(_VARIABLE, each)}
    assert listed | beside == used
    assert beside <= named(page("reference/settings.md"))


def test_every_profile_key_is_among_the_settings() -> None:
    keys = named("".join(row[1] for row in rows(page("reference/settings.md"), "| variable | pro")))
    read = {"external_id", "source_profile"}
    for path in SOURCE.glob("_*/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {
                "settings.profile",
                "settings.option",
                "find_profile_key",
                "find_web_identity",
            }:
                read.update(str(e.value) for e in node.args if isinstance(e, ast.Constant))
    assert keys - {"sts"} == read


# -- checks ----------------------------------------------------------------------------------------


def test_every_check_and_finding_is_listed_once() -> None:
    listed = [row[0] for row in rows(page("reference/checks.md"), "| id")]
    made = "|".join(constants())
    known = {f"{letter}{n:02}" for letter in "EAFTRCVMNSP" for n in range(100)}
    ids = {each for each in re.findall(r"\b[A-Z]\d\d\b", made) if each in known}
    # `_doctor` counts these up.
    ids |= {f"M{n:02}" for n in range(1, 6)} | {f"N{n:02}" for n in range(1, 7)}
    assert listed == sorted(listed, key=lambda each: ("EAFTRCVMNSP".index(each[0]), each))
    assert set(listed) == ids
    assert len(listed) == len(ids)


def test_each_has_only_statuses_that_exist() -> None:
    for id_, finds, status in rows(page("reference/checks.md"), "| id"):
        severities = {"error", "warning", "info"}
        known = severities if "P01" <= id_ <= "P16" else {"fail", "warn", "unknown"}
        assert set(status.split(", ")) <= known, id_
        assert finds, id_


# -- command line ----------------------------------------------------------------------------------


def options_of(command: str) -> set[str]:
    parser = _parser.parser_for([command])
    (found,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    options = {o for a in found.choices[command]._actions for o in a.option_strings}
    return options - {"-h", "--help", "--json"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_listed(command: str) -> None:
    text = page("reference/command-line.md")
    part = section(text, f"irsa-creds {command}")
    tables = [part, section(text, "Identity options")] if "#identity-options" in part else [part]
    listed = [
        row[0].strip("`").split()[0]
        for table in tables
        if "| option" in table
        for row in rows(table, "| option")
    ]
    assert sorted(listed) == sorted(options_of(command))


def test_every_command_is_listed_in_the_order_of_its_help() -> None:
    text = page("reference/command-line.md")
    table = rows(text, "| command | what")
    assert [re.findall(r"`([\w-]+)`", row[0])[0] for row in table] == COMMANDS
    assert re.findall(r"^## irsa-creds (\S+)", text, re.MULTILINE) == COMMANDS


def example(command: str) -> Any:
    part = section(page("reference/command-line.md"), f"irsa-creds {command}")
    (found,) = re.findall(r"(?ms)^```json\n(.*?)^```", part)
    return json.loads(found)


def fields_of(value: Any) -> Any:
    """Return the names in a JSON document, those of a list's first element."""
    if isinstance(value, dict):
        # What a check knows, and what a policy says, have names of their own.
        free = {"data", "policy"}
        return {name: None if name in free else fields_of(each) for name, each in value.items()}
    return fields_of(value[0]) if isinstance(value, list) and value else None


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("doctor", ""),
        ("explain", f"--service-account a/b --issuer https://{NOWHERE.partition('/')[2]} "),
        ("whoami", ""),
        ("process", "--no-cache"),
        ("trust-policy", "--service-account a/b --issuer https://a.example --account 123456789012"),
        ("manifest", "--service-account a/b"),
    ],
    ids=lambda value: value if value in COMMANDS else "",
)
def test_what_a_command_prints_as_json_has_the_fields_of_the_page(
    command: str, arguments: str, irsa: Irsa, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "trust.json"
    policy.write_text(
        json.dumps(
            {
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"Federated": NOWHERE},
                    "Action": "sts:AssumeRole",
                }
            }
        )
    )
    given = f"{arguments} --policy {policy}" if command == "explain" else arguments
    json_too = [] if command == "process" else ["--json"]
    main([command, *given.split(), *json_too])
    assert fields_of(json.loads(capsys.readouterr().out)) == fields_of(example(command))


def test_an_error_as_json_has_the_fields_of_the_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE", raising=False)
    monkeypatch.delenv("AWS_ROLE_ARN", raising=False)
    assert main(["whoami", "--json"]) == 1
    part = section(page("reference/command-line.md"), "JSON")
    (shown,) = re.findall(r"(?ms)^```json\n(.*?)^```", part)
    assert fields_of(json.loads(capsys.readouterr().err)) == fields_of(json.loads(shown))
