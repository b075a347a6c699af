from __future__ import annotations

import builtins
import json
import sys
from typing import Any

import pytest

from irsa_creds import ConfigError
from irsa_creds.diagnosis._manifest.parse import (
    MANIFEST_LIMIT,
    ManifestError,
    parse_manifest,
)

TWO = """\
# The account first.
apiVersion: v1
kind: ServiceAccount
metadata: {name: app, namespace: prod}
---
---
kind: Pod
metadata:
  generateName: web-
"""


def trouble(content: bytes | str) -> str:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(content, "The manifest x.yaml")
    return str(caught.value)


@pytest.fixture
def no_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML is not installed."""
    monkeypatch.setitem(sys.modules, "yaml", None)


def test_documents_come_in_their_order() -> None:
    found = [(each.kind, each.name, each.namespace) for each in parse_manifest(TWO)]
    assert found == [("ServiceAccount", "app", "prod"), ("Pod", "web-", None)]


def test_lists_are_opened_however_deep() -> None:
    inner = {"kind": "ServiceAccountList", "items": [{"kind": "ServiceAccount"}]}
    documents = {"kind": "List", "items": [{"kind": "Pod"}, inner, "none", {"no": "kind"}]}
    assert [each.kind for each in parse_manifest(json.dumps([documents]))] == [
        "Pod",
        "ServiceAccount",
    ]


def test_json_needs_nothing_installed(no_yaml: None) -> None:
    text = b'\xef\xbb\xbf\n{"kind": "Pod"}\n{"kind": "Job", "metadata": 5} '
    assert [each.kind for each in parse_manifest(text)] == ["Pod", "Job"]


def test_yaml_without_pyyaml_names_the_extra(no_yaml: None) -> None:
    said = trouble(TWO)
    assert "pip install 'irsa-creds[manifest]'" in said
    assert said.startswith("The manifest x.yaml is YAML")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"kind":\n1 2}', "',' delimiter (line 2)"),
        ('{"kind": ' * 100_000, "nested too deeply"),
        (f'{{"kind": {"1" * 5000}}}', "a number is too long"),
    ],
)
def test_invalid_json_is_reported(no_yaml: None, text: str, says: str) -> None:
    assert says in trouble(text)


def test_yaml_with_a_leading_brace_is_parsed() -> None:
    assert parse_manifest("{kind: Pod, metadata: {name: a}}")[0].name == "a"


def test_a_usage_error_is_a_config_error() -> None:
    with pytest.raises(ConfigError):
        parse_manifest("")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe", "not UTF-8 text (byte 0)"),
        ("", "has no Kubernetes object"),
        ("replicas: 3\nimage: web", "has no Kubernetes object"),
        ("apiVersion: v2\nname: web\nversion: 1.0.0", "`helm template`"),
        ("resources: [app.yaml]", "`kubectl kustomize`"),
        (
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]",
            "`kubectl kustomize DIRECTORY`",
        ),
        ("- - - 1", "has no Kubernetes object"),
        ("kind: Pod\n  name: x: y", "(line 2)"),
        ("{{- if .Values.on }}\nkind: Pod\n{{- end }}", "helm template"),
        ("kind: Pod\nat: !!bool perhaps", "not match its tag"),
        ("? [a]\n: b", "unhashable key (line 1)"),
        ("kind: Pod\nat: *nothing", "undefined alias 'nothing' (line 2)"),
        ("kind: \x01", "a character that YAML does not allow"),
        ("- " * 5000 + "x", "nested too deeply"),
        ("a:\n" + "".join(" " * depth + "- \n" for depth in range(120)), "levels deep"),
        ("kind: Pod\nx: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: &a [*a]", "contains itself"),
        (b"#" * (MANIFEST_LIMIT + 1), "longer than 4 MiB"),
    ],
)
def test_an_invalid_manifest_is_rejected(content: bytes | str, says: str) -> None:
    assert says in trouble(content)


@pytest.mark.parametrize("first", ["a: &a [x, x, x, x, x, x, x, x, x]", "a: &a {k: v}"])
def test_aliases_that_expand_without_bound_are_rejected(first: str) -> None:
    merged = first.endswith("}")
    lines = [first]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        many = ", ".join([f"*{before}"] * 9)
        lines.append(f"{name}: &{name} {{<<: [{many}]}}" if merged else f"{name}: &{name} [{many}]")
    assert "aliases expanded" in trouble("\n".join(lines))


def test_a_few_aliases_are_accepted() -> None:
    text = "kind: Pod\nmetadata: &m {name: a}\nspec: {template: {metadata: *m}}"
    assert parse_manifest(text)[0].document["spec"]["template"]["metadata"]["name"] == "a"


def test_too_many_objects_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irsa_creds.diagnosis._manifest.parse._MOST_OBJECTS", 2)
    assert "more than 2 objects" in trouble(json.dumps([{"kind": "Pod"}] * 3))


def test_no_line_of_a_broken_manifest_is_quoted() -> None:
    assert "hunter2" not in trouble("stringData: {password: hunter2, x: [}")


def test_a_name_that_would_move_the_terminal_is_shown_as_none() -> None:
    (found,) = parse_manifest(
        '{"kind": "Pod", "metadata": {"name": "a\\u001b[2J", "namespace": 7}}'
    )
    assert (found.name, found.namespace) == ("a?[2J", None)


def test_yaml_is_imported_only_for_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def watched(name: str, *arguments: Any, **options: Any) -> Any:
        assert name != "yaml"
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", watched)
    assert parse_manifest('{"kind": "Pod"}')


@pytest.mark.parametrize(
    "number",
    [
        "1" * 5_000,
        f"0x{'f' * 5_000}",
        f"0b{'1' * 20_000}",
        f"1{':59' * 100_000}",
        f"!!int 0x{'f' * 5_000}",
        f"1{':59' * 1_000}.5",
        "2024-99-45",
        "!!timestamp 2024-99-45",
    ],
)
def test_long_numbers_and_dates_stay_text(number: str) -> None:
    (found,) = parse_manifest(f"kind: Pod\nmetadata:\n  name: {number}\n")
    assert found.name == number.removeprefix("!!int ").removeprefix("!!timestamp ")[:253]


@pytest.mark.parametrize(
    ("written", "number"), [("0644", 0o644), ("86400", 86_400), ("0", 0), ("-3", -3)]
)
def test_a_short_number_is_one(written: str, number: int) -> None:
    (found,) = parse_manifest(f"kind: Pod\nx: {written}\n")
    assert found.document["x"] == number


def test_a_bare_equals_sign_is_text() -> None:
    # YAML 1.1 gives it a type of its own, for which there is no Python value.
    first, second = parse_manifest("kind: CRD\nenum:\n- =\n- '!='\n---\nkind: Pod\n")
    assert first.document["enum"] == ["=", "!="]
    assert second.kind == "Pod"


@pytest.mark.parametrize("name", ["7", "true", "[a]", "{a: b}", "null", '""'])
def test_a_name_that_is_not_text_counts_as_absent(name: str) -> None:
    (found,) = parse_manifest(f"kind: Pod\nmetadata: {{name: {name}, namespace: {name}}}\n")
    assert (found.name, found.namespace) == ("(without a name)", None)


def test_a_name_that_is_generated_is_known_by_its_beginning() -> None:
    (found,) = parse_manifest("kind: Job\nmetadata: {name: 7, generateName: job-}\n")
    assert found.name == "job-"
