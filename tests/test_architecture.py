from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import irsa_creds

SOURCE = Path(irsa_creds.__file__).parent

# In this order: each module imports only from those before it.
MODULES = [
    "_version",
    "_locks",
    "_forks",
    "_lazy",
    "_here",
    "_switches",
    "_errors",
    "_credentials",
    "_validate",
    "_arn",
    "_hops",
    "_route",
    "_settings",
    "_place",
    "_config",
    "_token",
    "_clock",
    "_freshness",
    "_endpoint",
    "_muffle",
    "_http",
    "_meanings",
    "_advice",
    "_answer",
    "_sts",
    "_assume",
    "_events",
    "_channel",
    "_outage",
    "_refusals",
    "_status",
    "_refresh",
    "_slots",
    "_pilot",
    "_store",
    "_entry",
    "_sharing",
    "_engine",
    "_waiting",
    "_chain_pilot",
    "_timer",
    "_provider",
    "_registry",
    "_private",
    "_dual_errors",
    "_session_settings",
    "_expired_hook",
    "_adapter",
    "botocore",
    "aiobotocore",
    "_chain",
    "_install",
    "_boto3",
    "_aiobotocore",
    "adapters",
    "opentelemetry",
    "__init__",
    "__main__",
]
# Imported inside a function, at a moment when the later module exists.
UPWARD = {
    ("_provider", "_registry"),
    ("_provider", "botocore"),
    ("_provider", "aiobotocore"),
    ("_install", "_boto3"),
    ("_install", "_aiobotocore"),
}
_FIRST, _END = MODULES.index("_private"), MODULES.index("adapters")
ADAPTERS = set(MODULES[_FIRST:_END]) - {"_session_settings"}


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


def running(tree: ast.Module) -> ast.Module:
    """Return `tree` without what only type checkers run."""

    class Runtime(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | None:
            name = node.test.id if isinstance(node.test, ast.Name) else ""
            return None if name == "TYPE_CHECKING" else self.generic_visit(node)

    kept = Runtime().visit(tree)
    assert isinstance(kept, ast.Module)
    return kept


def parsed(module: str) -> ast.Module:
    return running(ast.parse((SOURCE / f"{module}.py").read_text()))


def test_every_file_of_the_library_has_its_place_in_the_order() -> None:
    assert sorted(MODULES) == sorted(path.stem for path in SOURCE.glob("*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_a_file_imports_only_from_those_below_it(module: str) -> None:
    below = set(MODULES[: MODULES.index(module)])
    ours = {
        name.removeprefix("irsa_creds.").split(".")[0]
        for name in imports(parsed(module))
        if name.startswith("irsa_creds.")
    } & set(MODULES)
    upward = {target for source, target in UPWARD if source == module}
    assert ours - below <= upward


@pytest.mark.parametrize("module", [module for module in MODULES if module not in ADAPTERS])
def test_the_core_imports_other_packages_late(module: str) -> None:
    at_import = {
        name.split(".")[0]
        for statement in parsed(module).body
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for name in imports(statement)
    }
    assert not at_import & {"boto3", "botocore", "cachetools", "filelock", "urllib3"}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.name)
def test_no_file_grows_beyond_what_one_can_hold_in_the_head(path: Path) -> None:
    # All that changes an engine's state stands in one file, to be read beside its one lock.
    limit = 600 if path.name == "_engine.py" else 350
    assert len(path.read_text().splitlines()) <= limit


# -- packages above the core -----------------------------------------------------------------------

# What each may import of the others; the core imports none of them.
PACKAGES: dict[str, set[str]] = {
    "diagnosis": set(),
    "cli": {"diagnosis"},
    "testing": {"diagnosis"},
}
# The core's, where somebody asks for what only few need.
ON_DEMAND = {("__init__", "diagnosis"), ("__main__", "cli")}


def of_package(package: str) -> dict[str, set[str]]:
    """Return what each file of a package imports of the library, as names below `irsa_creds`."""
    return {
        f"{package}.{path.stem}": {
            name.removeprefix("irsa_creds.")
            for name in imports(running(ast.parse(path.read_text())))
            if name.startswith("irsa_creds.")
        }
        for path in (SOURCE / package).glob("*.py")
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_no_circle_of_imports(package: str) -> None:
    files = of_package(package)
    graph = {file: found & files.keys() - {file} for file, found in files.items()}
    list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_from_those_below_it(package: str) -> None:
    found = {name.split(".")[0] for names in of_package(package).values() for name in names}
    assert found & PACKAGES.keys() <= {package} | PACKAGES[package]


@pytest.mark.parametrize("module", MODULES)
def test_the_core_knows_of_no_package_above_it(module: str) -> None:
    found = {name.removeprefix("irsa_creds.").split(".")[0] for name in imports(parsed(module))}
    late = {target for source, target in ON_DEMAND if source == module}
    assert found & PACKAGES.keys() <= late


def test_the_evaluator_of_policies_needs_nothing_of_the_engine() -> None:
    # The sandbox stands on it, and a test of the engine must not stand on the engine.
    files = of_package("diagnosis")
    todo, seen = {"diagnosis._evaluate"}, set[str]()
    while todo - seen:
        file = (todo - seen).pop()
        seen.add(file)
        todo |= files[file] & files.keys() if file in files else set()
    core = {name.split(".")[0] for file in seen for name in files[file]} - {"diagnosis"}
    assert core <= {"_arn", "_errors", "_token", "_validate"}
