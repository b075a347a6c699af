"""The AWS SDK for Python v4, or a stand-in where it is not installed; a DynamoDB."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from irsa_creds._engine.forks import FORKS
from irsa_creds._smithy import chain_providers
from irsa_creds.testing._responses import AwsError
from irsa_creds.testing._server import LoopbackServer, Reply, Request
from irsa_creds.testing._sigv4 import read_signature
from smithy import fake_sdk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from irsa_creds.testing import Irsa, Sandbox

INSTALLED = importlib.util.find_spec("smithy_core") is not None
# They need clients of the SDK.
collect_ignore = [] if INSTALLED else ["test_clients.py"]


@pytest.fixture(autouse=True)
def _sdk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Import irsa-creds' modules again, with the SDK or the stand-in."""
    for name in ("interface", "errors", "resolver"):
        for known in (sys.modules, FORKS._imported):
            monkeypatch.delitem(known, f"irsa_creds._smithy.{name}", raising=False)
    if not INSTALLED:
        for name, module in fake_sdk.modules().items():
            monkeypatch.setitem(sys.modules, name, module)
    forget()
    yield
    forget()


def forget() -> None:
    """Forget what is known of the SDK for the rest of the process."""
    chain_providers._interface.cache_clear()
    chain_providers._claimed_slots.cache_clear()


@dataclass
class Database:
    """A DynamoDB of moto that authenticates requests.

    Attributes:
        keys: the key that signed each request.
        rejected: the same of rejected requests.
    """

    sandbox: Sandbox
    keys: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    def respond(self, request: Request) -> Reply:
        signature = read_signature(request)
        assert signature is not None
        try:
            caller = self.sandbox._identities.authenticate(request, signature)
        except AwsError as error:
            self.rejected.append(signature.access_key_id)
            body = json.dumps({"__type": error.code, "message": str(error)}).encode()
            return Reply(400, {"Content-Type": "application/x-amz-json-1.0"}, body)
        self.keys.append(signature.access_key_id)
        return self.sandbox._moto.forward(request, caller.account_id)


@pytest.fixture
def database(irsa: Irsa, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    made = Database(irsa.sandbox)
    with LoopbackServer(made.respond) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
        yield made
