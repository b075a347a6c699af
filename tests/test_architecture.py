"""The packages, what each may import, and where other people's packages may be imported."""

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

GROUND = {"_credentials", "_errors", "_flags", "_locks", "_masking", "_version"}
ENGINE = GROUND | {"_engine"}
EXCHANGE = ENGINE | {"_identity", "_exchange"}
CORE = EXCHANGE | {"_shared_cache", "_registry"}
PROVIDER = CORE | {"_botocore", "_provider"}
ALL = PROVIDER | {"_sessions"}
FACES = {"adapters", "aiobotocore", "botocore", "opentelemetry"}

# Each package or file, from the ground up, and what it may import beside itself.
MAY_IMPORT = {
    **dict.fromkeys(GROUND, GROUND),
    "_identity": GROUND,
    "_engine": GROUND,
    "_exchange": EXCHANGE,
    "_shared_cache": EXCHANGE,
    "_registry": CORE,
    "_botocore": CORE,
    "_provider": PROVIDER,
    "_sessions": ALL,
    **dict.fromkeys(FACES, ALL),
    "diagnosis": EXCHANGE,
    "testing": {"diagnosis", "__init__"},
    "cli": ALL | {"diagnosis"},
    "__main__": {"cli"},
    # Each Python process below `irsa-creds run` runs it, also without irsa-creds.
    "_sitecustomize": {"__init__"},
    # It imports what is asked for by name, late.
    "__init__": GROUND | {"_engine"},
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
    """Return `tree` without what only type checkers run."""

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


def ours(path: Path) -> set[str]:
    """Return the modules of the library that a file imports at some time."""
    names = imports(running(ast.parse(path.read_text())))
    found = {name.removeprefix("irsa_creds.") for name in names if name.startswith("irsa_creds.")}
    if "irsa_creds" in names:
        # The public names, which are above all private ones.
        found.add("__init__")
    return found & modules().keys()


def top(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def test_every_package_and_file_stands_in_the_table() -> None:
    assert {top(module) for module in modules()} == MAY_IMPORT.keys()


@pytest.mark.parametrize("module", modules())
def test_imports_run_in_the_direction_of_the_table(module: str) -> None:
    found = {top(name) for name in ours(modules()[module])}
    assert found <= MAY_IMPORT[top(module)] | {top(module)}


@pytest.mark.parametrize("module", [m for m in modules() if m.startswith("diagnosis._")])
def test_imports_within_the_diagnosis_run_in_one_direction(module: str) -> None:
    _, package, *_ = module.split(".")
    found = {
        name.split(".")[1] for name in ours(modules()[module]) if name.startswith("diagnosis.")
    }
    assert found <= DIAGNOSIS_MAY_IMPORT[package] | {package}


def test_the_table_and_the_imports_have_no_circle() -> None:
    graph = {module: ours(path) - {module} for module, path in modules().items()}
    # A package's face is imported with each of its modules.
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


@pytest.mark.parametrize("package", ["_engine", "_exchange", "_identity", "cli", "diagnosis"])
def test_imports_inside_of_functions_stand_in_the_table_of_their_package(package: str) -> None:
    folder = SOURCE / package
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    # A line of the table: imports, milliseconds, and modules with the reason.
    lines = re.findall(r"^    .+?  +[0-9]+  +([^:]+): ", text, re.MULTILINE)
    late = {
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in folder.rglob("*.py")
        for function in ast.walk(running(ast.parse(path.read_text())))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and imports(function)
    }
    assert late == {module for line in lines for module in line.split(", ")}


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.name)
def test_no_file_has_too_many_lines(path: Path) -> None:
    # All that changes an engine's state stands in one file, to be read beside its one lock.
    limit = 600 if path.name == "engine.py" else 360
    assert len(path.read_text().splitlines()) <= limit


def test_the_evaluator_of_policies_needs_nothing_of_the_engine() -> None:
    # The sandbox stands on it, and a test of the engine must not stand on the engine.
    todo, seen = {"diagnosis._policy.evaluate"}, set[str]()
    while todo - seen:
        module = (todo - seen).pop()
        seen.add(module)
        todo |= ours(modules()[module]) - {"diagnosis"}
    assert {top(module) for module in seen} <= GROUND | {"_identity", "diagnosis"}
