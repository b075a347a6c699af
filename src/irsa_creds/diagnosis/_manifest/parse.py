"""Parse a manifest, in YAML or JSON, into Kubernetes objects.

A manifest is untrusted: its size, nesting and aliases are bounded, and it cannot create Python
objects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from irsa_creds._errors import ConfigError
from irsa_creds._masking import mask, printable
from irsa_creds.diagnosis._manifest.fields import mapping_at, text_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["MANIFEST_LIMIT", "ManifestError", "Resource", "parse_manifest", "short_name"]

#: Bytes; the bundles of large operators have three million.
MANIFEST_LIMIT = 4 * 1024 * 1024
# Nodes of a document with every alias expanded, and their depth.
_MOST_NODES = 2_000_000
_DEEPEST = 100
_MOST_OBJECTS = 10_000
# Octal or decimal.
_SHORT_NUMBER = r"[-+]?(?:0[0-7]{1,11}|0|[1-9]\d{0,17})"
_KUSTOMIZE = "kustomize.config.k8s.io/"
_LONGEST_NAME = 253  # Kubernetes' limit
_NO_NAME = "(without a name)"


class ManifestError(ConfigError):
    """The manifest is invalid, or exceeds a limit."""


class Resource(NamedTuple):
    """One Kubernetes object.

    Attributes:
        kind: as written, such as "ServiceAccount".
        name: of its metadata.
        namespace: None if it names none; `kubectl apply -n` then decides.
        document: the whole object.
    """

    kind: str
    name: str
    namespace: str | None
    document: Mapping[str, Any]


def parse_manifest(content: bytes | str, source: str = "The manifest") -> tuple[Resource, ...]:
    """Return the objects of a manifest, including the members of lists.

    Args:
        content: JSON, or YAML with any number of documents; at most `MANIFEST_LIMIT` bytes.
        source: its name for messages.

    Raises:
        ManifestError: it is too large, invalid, or has no object; or it is YAML and PyYAML is not
            installed.
    """
    resources = tuple(_resources(_documents(_text(content, source), source), source))
    if not resources:
        raise ManifestError(
            f"{source} has no Kubernetes object: nothing in it has a kind. Use the output of "
            "`kubectl get serviceaccount,deployment -o yaml`, `kubectl kustomize` or "
            "`helm template`."
        )
    if all(str(each.document.get("apiVersion")).startswith(_KUSTOMIZE) for each in resources):
        raise ManifestError(
            f"{source} is a {resources[0].kind} of Kustomize, which names other files. "
            "Use the output of `kubectl kustomize DIRECTORY`."
        )
    return resources


def _text(content: bytes | str, source: str) -> str:
    if len(content) > MANIFEST_LIMIT:
        raise ManifestError(
            f"{source} is longer than {MANIFEST_LIMIT // 1024**2} MiB; keep only the service "
            "account and its pods."
        )
    if isinstance(content, str):
        return content
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = error.start
    raise ManifestError(f"{source} is not UTF-8 text (byte {where}); save it as UTF-8.")


def _documents(text: str, source: str) -> Iterable[object]:
    """Return the documents; JSON is tried first because it needs no PyYAML."""
    problem = ""
    if text.lstrip()[:1] in {"{", "["}:
        try:
            return list(_json_documents(text))
        except RecursionError:
            problem = "nested too deeply"
        except ValueError as invalid:
            # The error about an integer with too many digits has no `msg`.
            line = getattr(invalid, "lineno", None)
            problem = getattr(invalid, "msg", "a number is too long") + _at(line)
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ImportError:
        pass
    else:
        return _yaml_documents(yaml, text, source)
    if problem:
        raise ManifestError(f"{source} is not JSON: {problem}.")
    raise ManifestError(
        f"{source} is YAML, and PyYAML is not installed: pip install 'irsa-creds[manifest]', or "
        "give JSON (`kubectl get ... -o json`)."
    )


def _json_documents(text: str) -> Iterator[object]:
    """Yield the JSON documents in a text."""
    decoder = json.JSONDecoder()
    position = _after_blanks(text, 0)
    while position < len(text):
        document, position = decoder.raw_decode(text, position)
        yield document
        position = _after_blanks(text, position)


def _after_blanks(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _yaml_documents(yaml: Any, text: str, source: str) -> list[object]:
    try:
        return list(_constructed(yaml, text))
    except RecursionError:
        problem = "it is nested too deeply"
    except yaml.YAMLError as error:
        problem = _problem_of(error)
    # PyYAML raises these for a value such as `!!bool perhaps`.
    except (LookupError, TypeError, ValueError):
        problem = "a value does not match its tag"
    hint = ""
    if "{{" in text:
        hint = " It looks like a template: use the output of `helm template`."
    # Raised outside of the handler: the parser's error quotes lines, which may be of a Secret.
    raise ManifestError(f"{source} is not valid YAML: {problem}.{hint}")


def _constructed(yaml: Any, text: str) -> Iterator[object]:
    loader = _loader_of(yaml)(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            # Counted before construction, which expands merge keys (`<<`) without a bound.
            _count_expanded(node, {}, _DEEPEST)
            yield loader.construct_document(node)
    finally:
        loader.dispose()


def _loader_of(yaml: Any) -> Any:
    """Return PyYAML's safe loader, changed to keep everything but short numbers as text.

    YAML 1.1 allows numbers of any length, in hexadecimal and base 60, which are slow to parse.
    """

    def number(loader: Any, node: Any) -> Any:
        short = isinstance(node.value, str) and re.fullmatch(_SHORT_NUMBER, node.value)
        return loader.construct_yaml_int(node) if short else loader.construct_scalar(node)

    loader = type("_Loader", (yaml.SafeLoader,), {})
    loader.add_constructor("tag:yaml.org,2002:int", number)  # type: ignore[attr-defined] # of PyYAML
    # A bare "=" is a `value` of YAML 1.1, which the safe loader does not construct.
    for kind in ("float", "timestamp", "value"):
        loader.add_constructor(f"tag:yaml.org,2002:{kind}", yaml.SafeLoader.construct_scalar)  # type: ignore[attr-defined] # as above
    return loader


def _count_expanded(node: Any, known: dict[int, int], depth: int) -> int:
    """Return the number of nodes with every alias expanded.

    Args:
        node: of PyYAML's graph, in which aliases share nodes.
        known: the numbers so far, by node id; 0 while a node is counted.
        depth: the remaining depth.

    Raises:
        ManifestError: there are too many nodes, too deep ones, or one contains itself.
    """
    if not depth:
        raise ManifestError(f"The manifest is nested more than {_DEEPEST} levels deep.")
    if id(node) in known:
        if not known[id(node)]:
            raise ManifestError("The manifest has an alias that contains itself.")
        return known[id(node)]
    known[id(node)] = 0
    value = node.value
    if isinstance(value, str):
        count = 1
    else:
        parts = (part for each in value for part in (each if isinstance(each, tuple) else (each,)))
        count = 1 + sum(_count_expanded(part, known, depth - 1) for part in parts)
    if count > _MOST_NODES:
        raise ManifestError(
            f"The manifest has more than {_MOST_NODES:,} values with its aliases expanded."
        )
    known[id(node)] = count
    return count


def _problem_of(error: Any) -> str:
    """Return PyYAML's problem, without the lines that it quotes."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "a character that YAML does not allow"
    return mask(str(problem)) + _at(None if mark is None else mark.line + 1)


def _at(line: int | None) -> str:
    return "" if line is None else f" (line {line})"


def _resources(documents: Iterable[object], source: str) -> Iterator[Resource]:
    """Yield the objects in documents and in their lists, in order."""
    stack = list(documents)[::-1]
    seen = 0
    while stack:
        document = stack.pop()
        if isinstance(document, list):
            stack.extend(document[::-1])
            continue
        if not isinstance(document, Mapping):
            continue
        seen += 1
        if seen > _MOST_OBJECTS:
            raise ManifestError(f"{source} holds more than {_MOST_OBJECTS:,} objects.")
        kind, items = document.get("kind"), document.get("items")
        if not isinstance(kind, str):
            continue
        if kind.endswith("List") and isinstance(items, list):
            stack.extend(items[::-1])
        else:
            yield _resource(kind, document)


def _resource(kind: str, document: Mapping[str, Any]) -> Resource:
    metadata = mapping_at(document, "metadata")
    # Kubernetes rejects names that are not text.
    name = text_at(metadata, "name") or text_at(metadata, "generateName") or _NO_NAME
    namespace = text_at(metadata, "namespace")
    return Resource(
        short_name(kind), short_name(name), namespace and short_name(namespace), document
    )


def short_name(value: object) -> str:
    """Return a name for messages, bounded and printable."""
    return printable(str(value)[:_LONGEST_NAME])
