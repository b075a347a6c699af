"""The troubleshooting page has every code and every check, and none that does not exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import irsa_creds
from irsa_creds._errors import Failure
from irsa_creds._exchange.advice import ExchangeRequest
from irsa_creds._exchange.causes import codes
from irsa_creds._exchange.http import HttpResponse
from irsa_creds._exchange.response import parse_response
from irsa_creds._identity.token import Token
from sts_server import error_xml, jwt

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text()
SOURCE = Path(irsa_creds.__file__).parent
CHECKS = {
    f"{letter}{number:02}"
    for letter, last in {
        "E": 4,
        "A": 3,
        "F": 5,
        "T": 5,
        "R": 3,
        "C": 2,
        "V": 2,
        "M": 5,
        "N": 6,
        "S": 2,
        "P": 16,
    }.items()
    for number in range(1, last + 1)
}


def own_codes() -> set[str]:
    """Return every code with which the library's source makes a failure."""
    trees = (ast.parse(path.read_text()) for path in SOURCE.glob("_*/*.py"))
    return {code for tree in trees for code in _codes_in(tree)} - {"Unknown"}


def _codes_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        given: list[ast.expr] = []
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "code":
            given = [node.value]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            given = [key.value for key in node.keywords if key.arg == "code"]
            if name in {"_failure", "failure"}:
                given += node.args[:2]
        for value in given:
            if isinstance(value, ast.Constant) and re.fullmatch("[A-Za-z]+", str(value.value)):
                yield str(value.value)


def network_codes() -> set[str]:
    """Return the classes of botocore's errors that the connection raises."""
    tree = ast.parse((SOURCE / "_exchange" / "http.py").read_text())
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "botocore.exceptions"
        for alias in node.names
    } - {"HTTPClientError"}


def rows() -> list[list[str]]:
    """Return the cells of all rows that end with a check."""
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if len(row) >= 3 and not set(row[0]) <= set("-")]


def test_the_source_was_searched() -> None:
    assert {
        "TokenFileMissing",
        "EndpointUnresolved",
        "RefreshTimeout",
        "MalformedAnswer",
    } <= own_codes()
    assert "SSLError" in network_codes()


@pytest.mark.parametrize("code", sorted(codes() | own_codes() | network_codes()))
def test_every_code_has_a_row(code: str) -> None:
    assert any(f"`{code}`" in row[0] for row in rows())


def test_every_row_names_existing_checks_or_a_dash() -> None:
    for what, *_, found_by in rows():
        if what not in {"code", "headline", "message"}:
            assert found_by == "—" or set(re.findall(r"[A-Z]\d\d", found_by)), what
    assert set(re.findall(r"\b[A-Z]\d\d\b", PAGE)) <= CHECKS


def test_the_example_is_the_text_of_an_error() -> None:
    words = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
    claims = {
        "iss": "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE",
        "sub": "system:serviceaccount:data:reader",
        "aud": ["sts.amazonaws.com"],
        "exp": 1_767_600_000,
    }
    request = ExchangeRequest(
        "arn:aws:iam::123456789012:role/reader",
        "https://sts.eu-west-1.amazonaws.com",
        None,
        Token(jwt(claims)),
    )
    headers = {"x-amzn-requestid": "3d86a7d3-1b2c-4d5e-8f90-123456789abc"}
    body = error_xml("AccessDenied", words).encode()
    made = parse_response(HttpResponse(403, headers, body), request)
    assert isinstance(made, Failure)
    assert made.text() in PAGE
