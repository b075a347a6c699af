"""README.md and the pages: what they show, runs."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import json
import os
import re
import shlex
import subprocess
import sys
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
import yaml

from docs.markdown import ROOT, Block, block, blocks, commands, pages
from irsa_creds.cli._parser import parser_for
from irsa_creds.testing import _plugin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.testing import Issuer

#: These pages have tests of their own, which run every snippet.
OF_THEIR_OWN = {
    "metrics.md": "tests/integrations/test_opentelemetry.py",
    "testing.md": "tests/testing/test_plugin.py",
}
_COMMANDS = re.compile(r"^(?:\$ )?(?:\w+=\S+ )*irsa-creds (.+)", re.MULTILINE)
HERE = [page for page in pages() if page not in OF_THEIR_OWN]


class Terminal:
    """Where the blocks of one page run, one after another: a pod, a namespace, a directory."""

    def __init__(self, patch: pytest.MonkeyPatch, issuer: Issuer) -> None:
        self._patch, self._issuer = patch, issuer
        self._names: dict[str, Any] = {"__name__": "page"}
        # What the block before printed, if it was Python or a shell script.
        self._said: str | None = None
        self._pod = contextlib.ExitStack()
        self._deployed = False

    def run(self, block: Block) -> None:
        """Run a block, or compare what it says with what the one before has printed."""
        said, self._said = self._said, None
        if block.saved_as is not None:
            Path(block.saved_as).write_text(block.text)
        elif block.note is not None:
            return
        elif block.language == "python":
            self._python(block)
        elif block.language == "console":
            self._console(block)
        elif block.language == "sh":
            self._deploy()
            self._said = self._shell(block, block.text)
        elif block.language == "text" and block.follows and said is not None:
            same(block, block.text, said)

    def close(self) -> None:
        """Leave the pod."""
        self._pod.close()

    def _python(self, block: Block) -> None:
        if re.search(r"\bSandbox\(", block.text):
            # One process has one sandbox at a time: from here on, the page's own.
            self._pod.close()
            self._deployed = True
        self._deploy()
        # The page's own line numbers, where something is raised.
        source = "\n" * block.line + block.text
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(source, block.page, "exec"), self._names)
            main = self._names.pop("main", None)
            if inspect.iscoroutinefunction(main):
                asyncio.run(main())
        self._said = printed.getvalue()

    def _console(self, block: Block) -> None:
        for command, shown in commands(block.text):
            self._deploy()
            said = self._shell(block, command)
            if shown:
                same(block, shown, said)

    @staticmethod
    def _shell(block: Block, command: str) -> str:
        """Return what a command prints."""
        done = subprocess.run(
            ["sh", "-c", command],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        where = f"{block.page}:{block.line}: $ {command}\n{done.stdout}"
        # Of `irsa-creds`, and of a shell that finds no such command.
        assert done.returncode not in {2, 127}, where
        assert "Traceback" not in done.stdout, where
        return done.stdout

    def _deploy(self) -> None:
        if not self._deployed:
            self._deployed = True
            self._pod.enter_context(_plugin.pod_environment(self._patch, self._issuer, {}))
            # Clients in Rust accept the sandbox's S3, which has no TLS, only with this variable.
            self._patch.setenv("AWS_ALLOW_HTTP", "true")


def same(block: Block, shown: str, said: str) -> None:
    """See that the page shows what was said; `...` stands for anything."""
    alike = OutputChecker().check_output(shown, said, ELLIPSIS | NORMALIZE_WHITESPACE)
    assert alike, f"{block.page}:{block.line} shows\n{shown}\nbut this was said\n{said}"


@pytest.fixture
def terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, _irsa_issuer: Issuer
) -> Iterator[Terminal]:
    monkeypatch.chdir(tmp_path)
    # Where `irsa-creds` is, and `python` is this one.
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    made = Terminal(monkeypatch, _irsa_issuer)
    with mock.patch.dict(os.environ):
        yield made
        made.close()


@pytest.mark.parametrize("page", HERE)
def test_what_a_page_shows_runs(page: str, terminal: Terminal) -> None:
    for each in blocks(page):
        terminal.run(each)


@pytest.mark.parametrize("page", pages())
def test_no_block_is_overlooked(page: str) -> None:
    path = ROOT / page if page == "README.md" else ROOT / "docs" / page
    fences = re.findall(r"^\s*```", path.read_text(), re.MULTILINE)
    assert len(fences) == 2 * len(blocks(page))


@pytest.mark.parametrize("page", pages())
def test_every_command_is_one_that_irsa_creds_knows(page: str) -> None:
    for each in blocks(page):
        if each.language in {"console", "sh"}:
            for line in _COMMANDS.findall(each.text):
                words = shlex.shlex(line, posix=True, punctuation_chars=True)
                words.whitespace_split = True
                arguments = list(takewhile(lambda word: word not in {"|", ">", ";"}, words))
                parser_for(arguments).parse_args(arguments)


@pytest.mark.parametrize("page", pages())
def test_manifests_and_policies_can_be_read(page: str) -> None:
    for each in blocks(page):
        if each.language == "yaml":
            assert list(yaml.safe_load_all(each.text))
        elif each.language == "json":
            assert json.loads(each.text)


@pytest.mark.parametrize("page", OF_THEIR_OWN)
def test_a_page_with_tests_of_its_own_has_them(page: str) -> None:
    assert f'"{page}"' in (ROOT / OF_THEIR_OWN[page]).read_text()


@pytest.mark.parametrize("page", HERE)
def test_what_does_not_run_here_runs_where_the_page_says(page: str) -> None:
    elsewhere = {each.elsewhere for each in blocks(page) if each.elsewhere}
    assert [
        (name, file)
        for name, file in elsewhere
        if (page, name) not in taken_by(ROOT / file) or not block(page, name)
    ] == []


def taken_by(file: Path) -> set[tuple[object, ...]]:
    """Return the arguments of all calls of `block` in a file."""
    return {
        tuple(argument.value for argument in call.args if isinstance(argument, ast.Constant))
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "block"
    }
