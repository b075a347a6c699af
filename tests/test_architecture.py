"""The packages, what each may import, and where packages of other projects may be imported."""

from __future__ import annotations

import ast
import re
from functools import cache
from graphlib import TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

import irsa_creds

SOURCE = Path(irsa_creds.__file__).parent
TESTS = Path(__file__).parent

BASE = {"_credentials", "_errors", "_flags", "_locks", "_masking", "_record", "_version"}
ENGINE = BASE | {"_engine"}
EXCHANGE = ENGINE | {"_identity", "_exchange"}
CORE = EXCHANGE | {"_shared_cache", "_registry"}
PROVIDER = CORE | {"_botocore", "_provider"}
ALL = PROVIDER | {"_sessions"}
INTEGRATIONS = {"adapters", "aiobotocore", "botocore", "opentelemetry", "pyarrow"}
SMITHY = PROVIDER | {"_smithy"}

# Each package or file, lower layers first, and what it may import beside itself.
MAY_IMPORT = {
    **dict.fromkeys(BASE, BASE),
    "_identity": BASE,
    "_engine": BASE,
    "_exchange": EXCHANGE,
    "_shared_cache": EXCHANGE,
    "_registry": CORE,
    "_botocore": CORE,
    "_provider": PROVIDER,
    "_sessions": ALL,
    "_smithy": SMITHY,
    "smithy": SMITHY,
    **dict.fromkeys(INTEGRATIONS, ALL),
    "diagnosis": EXCHANGE,
    "testing": {"diagnosis", "__init__"},
    "cli": ALL | {"diagnosis"},
    "__main__": {"cli"},
    # Each Python process below `irsa-creds run` runs it, also without irsa-creds.
    "_sitecustomize": {"__init__"},
    # It imports each public name late, when a program reads it.
    "__init__": BASE | {"_engine"},
}

# The packages of the diagnosis, and what each may import of it.
SHARED = {"_checks", "_claims", "_fixes"}
DIAGNOSIS_MAY_IMPORT = {
    **dict.fromkeys(SHARED, SHARED),
    "_policy": set[str](),
    "_explain": SHARED | {"_policy"},
    "_manifest": SHARED,
    "_network": SHARED,
    "_doctor": SHARED | {"_policy", "_explain", "_manifest", "_network"},
}


@cache
def modules() -> dict[str, Path]:
    """Return all files of the library by their names below `irsa_creds`."""
    names = {path: ".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in sources()}
    return {name.removesuffix(".__init__"): path for path, name in names.items()}


@cache
def sources() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def running(tree: ast.Module) -> ast.Module:
    """Return `tree` without the imports for type checkers."""

    class Runtime(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | None:
            name = node.test.id if isinstance(node.test, ast.Name) else ""
            return None if name == "TYPE_CHECKING" else self.generic_visit(node)

    kept = Runtime().visit(tree)
    assert isinstance(kept, ast.Module)
    return kept


def imports(tree: ast.AST) -> set[str]:
    """Return all modules that `tree` imports, by their whole names."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def ours(tree: ast.Module) -> set[str]:
    """Return the modules of the library that a file imports at some time."""
    names = imports(tree)
    found = {name.removeprefix("irsa_creds.") for name in names if name.startswith("irsa_creds.")}
    if "irsa_creds" in names:
        # The public names, which are above all private ones.
        found.add("__init__")
    return found & modules().keys()


def top(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def test_every_package_and_file_is_in_the_table() -> None:
    assert {top(module) for module in modules()} == MAY_IMPORT.keys()


# Tests import each other from `tests`, where a directory `botocore` could be taken for the library.
TESTED_IN = {"_botocore": "botocore_adapters", "_sitecustomize": "cli"}


@pytest.mark.parametrize(
    "package", sorted({path.parent for path in sources()} - {SOURCE}), ids=lambda path: path.name
)
def test_each_package_has_a_directory_of_tests(package: Path) -> None:
    parts = package.relative_to(SOURCE).parts
    folder = TESTS.joinpath(*(TESTED_IN.get(part, part.removeprefix("_")) for part in parts))
    assert any(folder.glob("test_*.py"))


@pytest.mark.parametrize("module", modules())
def test_imports_run_in_the_direction_of_the_table(module: str) -> None:
    tree = ast.parse(modules()[module].read_text())
    # Type checkers import the public names early.
    found = {top(name) for name in ours(running(tree) if module == "__init__" else tree)}
    assert found <= MAY_IMPORT[top(module)] | {top(module)}


@pytest.mark.parametrize("module", [m for m in modules() if m.startswith("diagnosis._")])
def test_imports_within_the_diagnosis_run_in_one_direction(module: str) -> None:
    _, package, *_ = module.split(".")
    found = {
        name.split(".")[1]
        for name in ours(ast.parse(modules()[module].read_text()))
        if name.startswith("diagnosis.")
    }
    assert found <= DIAGNOSIS_MAY_IMPORT[package] | {package}


def test_the_table_and_the_imports_have_no_circle() -> None:
    trees = {module: ast.parse(path.read_text()) for module, path in modules().items()}
    # Type checkers import the public names early.
    trees["__init__"] = running(trees["__init__"])
    graph = {module: ours(tree) - {module} for module, tree in trees.items()}
    # Python imports a package's `__init__` with each of its modules.
    list(TopologicalSorter({m: names - {top(m)} for m, names in graph.items()}).static_order())


# They import botocore. `_exchange.preload` imports them, late.
OF_A_CALL = {f"_exchange.{name}" for name in ("assume_role", "endpoint", "http", "response", "sts")}


@pytest.mark.parametrize(
    "module", [each for each in modules() if top(each) in CORE and each not in OF_A_CALL]
)
def test_the_core_imports_other_packages_late(module: str) -> None:
    statements = running(ast.parse(modules()[module].read_text())).body
    at_import = set(
        chain.from_iterable(
            imports(each) for each in statements if isinstance(each, ast.Import | ast.ImportFrom)
        )
    )
    late = {"boto3", "botocore", "cachetools", "filelock", "urllib3"}
    assert not {top(name) for name in at_import} & late
    assert not {name.removeprefix("irsa_creds.") for name in at_import} & OF_A_CALL


# The public names have a table of their own, and the metrics an optional dependency.
WITHOUT_TABLE = {"__init__", "opentelemetry"}
# It imports what the other modules name.
IMPORTER = "forks"


def imports_late(function: ast.AST) -> bool:
    """Return whether a function has an import statement, or calls `import_module`."""
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    return "import_module" in names or bool(imports(function))


@pytest.mark.parametrize("part", sorted(MAY_IMPORT.keys() - WITHOUT_TABLE))
def test_imports_inside_of_functions_are_in_the_table_of_their_package(part: str) -> None:
    files = {name: path for name, path in modules().items() if top(name) == part}
    first = modules().get(part) or next(iter(files.values()))
    text = ast.get_docstring(ast.parse(first.read_text())) or ""
    # A line of the table: imports, milliseconds, and modules with the reason.
    lines = re.findall(r"^    .+?  +[0-9]+  +([^:]+): ", text, re.MULTILINE)
    late = {
        ("__init__" if path.stem == "__init__" else name.removeprefix(f"{part}."))
        for name, path in files.items()
        for function in ast.walk(running(ast.parse(path.read_text())))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        and imports_late(function)
    }
    late.discard(IMPORTER)
    assert late == {module for line in lines for module in line.split(", ")}


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.name)
def test_no_file_has_too_many_lines(path: Path) -> None:
    # One file has all code that changes an engine's state, beside the engine's one lock.
    limit = 600 if path.name == "engine.py" else 360
    assert len(path.read_text().splitlines()) <= limit


def test_the_evaluator_of_policies_needs_nothing_of_the_engine() -> None:
    # The sandbox uses it, and a test of the engine must not rely on the engine.
    todo, seen = {"diagnosis._policy.evaluate"}, set[str]()
    while todo - seen:
        module = (todo - seen).pop()
        seen.add(module)
        todo |= ours(running(ast.parse(modules()[module].read_text()))) - {"diagnosis"}
    assert {top(module) for module in seen} <= BASE | {"_identity", "diagnosis"}
