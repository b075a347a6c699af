"""One case of the differential table: the same pod for botocore's provider and for irsa-creds.

Each case runs in a program that uses botocore or (in tests/aio) aiobotocore.

A case names the rows of the closed list of differences that apply to it. For each row, `REWRITES`
has another case for which botocore does the same, or `OUTCOMES` the different outcome.
"""

from __future__ import annotations

import base64
import enum
import json
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.exceptions
from botocore.config import Config
from botocore.context import get_context, start_as_current_context
from botocore.session import Session

import irsa_creds
from fake_network import CREDENTIAL_FEATURES, ErrorResponse, FakeNetwork, Sent
from irsa_creds._engine.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pytest

HOST = "app-7d9c5b8f6d-x2x7q"
ROLE = "arn:aws:iam::123456789012:role/app"
#: Stands for the path of the token's file.
TOKEN_FILE = "{token file}"
ISSUER_REGION = "eu-north-1"


def jwt(issuer: str) -> str:
    """Return a token of that issuer, with an invalid signature."""
    parts: tuple[dict[str, str], ...] = (
        {"alg": "RS256"},
        {"iss": issuer, "sub": "system:serviceaccount:default:app"},
        {},
    )
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    )


OTHER_TOKEN = jwt("https://issuer.example.com")
EKS_TOKEN = jwt(f"https://oidc.eks.{ISSUER_REGION}.amazonaws.com/id/0123ABCD")


class Row(enum.Enum):
    """The closed list of differences, as far as one fetch shows them."""

    HALF_SET = "token file set, role missing"
    ROLE_ALONE = "AWS_ROLE_ARN alone"
    TOKEN = "token file missing, empty, newline at its end"
    AWS_REGION = "AWS_REGION"
    OTHER_REGION = "a session or client for another region than the pod's"
    ISSUER = "no region anywhere, EKS issuer"
    SESSION_NAME = "session name not given"
    DURATION = "duration_seconds with web identity"
    NO_REGION = "a target role, an endpoint of its own and no region anywhere"
    RETRIES = "STS client's events, retries, user agent of the session"
    # A `ConfigError` before any call.
    CAUGHT_EARLY = "values that STS or a client of botocore rejects as malformed"


@dataclass(frozen=True)
class Case:
    """A pod, its files, and the settings of its program.

    Attributes:
        environ: its variables; `TOKEN_FILE` stands for the path of the token file.
        config: sections of AWS_CONFIG_FILE; a value of several lines is a nested section.
        shared: sections of AWS_SHARED_CREDENTIALS_FILE.
        profile: the profile that code names.
        region: the region that code gives the session.
        client_region: the region of a client made before credentials are read.
        client_config: the session's default client configuration.
        token: the token file's content; None: there is no file.
        denial: the error that STS returns for the web identity.
        down: whether the network is down.
        rows: the differences that apply.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    shared: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    profile: str | None = None
    region: str | None = None
    client_region: str | None = None
    client_config: Mapping[str, Any] = field(default_factory=dict)
    token: str | None = OTHER_TOKEN
    denial: ErrorResponse | None = None
    down: bool = False
    rows: frozenset[Row] = frozenset()

    def __or__(self, other: Case) -> Case:
        """Return both in one case; the values of `other` take precedence."""
        merged: dict[str, Any] = {
            "environ": {**self.environ, **other.environ},
            "config": _merged(self.config, other.config),
            "shared": _merged(self.shared, other.shared),
            "client_config": {**self.client_config, **other.client_config},
            "rows": self.rows | other.rows,
        }
        given = {
            name: value
            for name in ("profile", "region", "client_region", "token", "denial", "down")
            if (value := getattr(other, name)) != getattr(_BLANK, name)
        }
        return replace(self, **merged, **given)

    def with_environ(self, **variables: str) -> Case:
        return replace(self, environ={**self.environ, **variables})

    def with_keys(self, **keys: str) -> Case:
        """Return the case with keys added to every section that names a role."""
        config = {
            name: {**keys, **section} if "role_arn" in section else section
            for name, section in self.config.items()
        }
        return replace(self, config=config)


_BLANK = Case()


def _merged(
    one: Mapping[str, Mapping[str, str]], other: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    return {name: {**one.get(name, {}), **other.get(name, {})} for name in {**one, **other}}


@dataclass(frozen=True)
class Outcome:
    """The result of a program, and its requests.

    Attributes:
        method: of the credentials, which names the provider in the chain; None: there are none.
        key: the access key's id.
        families: the classes of botocore that the error is an instance of.
        code: the error code of a `ClientError`.
        features: the ids in the user agent of a client that is created with the credentials.
        calls: the requests, without repetitions.
    """

    method: str | None = None
    key: str | None = None
    families: frozenset[str] = frozenset()
    code: str | None = None
    features: frozenset[str] = frozenset()
    calls: tuple[Sent, ...] = ()


REWRITES: dict[Row, Callable[[Case], Case]] = {
    Row.AWS_REGION: lambda case: case.with_environ(AWS_DEFAULT_REGION=case.environ["AWS_REGION"]),
    Row.OTHER_REGION: lambda case: replace(
        case,
        region=None,
        client_region=None,
        client_config={k: v for k, v in case.client_config.items() if k != "region_name"},
    ),
    Row.ISSUER: lambda case: case.with_environ(AWS_DEFAULT_REGION=ISSUER_REGION),
    Row.SESSION_NAME: lambda case: case.with_environ(AWS_ROLE_SESSION_NAME=HOST).with_keys(
        role_session_name=HOST
    ),
    Row.NO_REGION: lambda case: case.with_environ(AWS_DEFAULT_REGION="us-east-1"),
    Row.TOKEN: lambda case: replace(case, token=(case.token or "").strip()),
}


def _with_duration(outcome: Outcome, case: Case) -> Outcome:
    (section,) = (each for each in case.config.values() if "duration_seconds" in each)
    call, *others = outcome.calls
    form = {**call.form, "DurationSeconds": section["duration_seconds"]}
    return replace(outcome, calls=(replace(call, form=form), *others))


def _without_token(outcome: Outcome, case: Case) -> Outcome:
    if (case.token or "").strip():
        return outcome
    return Outcome(families=frozenset({"CredentialRetrievalError", "BotoCoreError"}))


def _before_any_call(outcome: Outcome, case: Case) -> Outcome:
    del outcome, case
    return Outcome(families=frozenset({"InvalidConfigError", "BotoCoreError"}))


OUTCOMES: dict[Row, Callable[[Outcome, Case], Outcome]] = {
    Row.DURATION: _with_duration,
    Row.TOKEN: _without_token,
    Row.CAUGHT_EARLY: _before_any_call,
}


class Program:
    """A program that uses botocore; a subclass uses aiobotocore."""

    session: Any = Session
    config: Any = Config

    def tap(self, patch: pytest.MonkeyPatch) -> FakeNetwork:
        """Replace the network by a fake one, and return it."""
        return FakeNetwork.install(patch)

    def prepared(self, case: Case, *, installed: bool) -> Any:
        """Return the session of the case's program."""
        session = self.session(
            profile=case.profile,
            event_hooks=copy(_handlers(self.session)),
            include_builtin_handlers=False,
        )
        if installed:
            irsa_creds.install(session)
        if case.region is not None:
            session.set_config_variable("region", case.region)
        if case.client_config:
            session.set_default_client_config(self.config(**case.client_config))
        return session

    def resolve(self, case: Case, *, installed: bool) -> Outcome:
        """Create a client, and read credentials."""
        session = self.prepared(case, installed=installed)
        if case.client_region is not None:
            session.create_client("sts", region_name=case.client_region)
        # As when a client is created, and when it sends a request.
        with start_as_current_context():
            credentials = session.get_credentials()
            features = client_features(session)
        if credentials is None:
            return Outcome(features=features)
        with start_as_current_context():
            frozen = credentials.get_frozen_credentials()
        return Outcome(credentials.method, frozen.access_key, features=features)


def client_features(session: Any) -> frozenset[str]:
    """Return the ids in the user agent of the client that is being created, and of the last one."""
    created = session.get_component("user_agent_creator")._client_features or frozenset()
    return CREDENTIAL_FEATURES.intersection(get_context().features | created)


class Bench:
    """Runs cases in one program.

    Args:
        monkeypatch: undoes the changes of a case.
        folder: for its files.
        program: None: one that uses botocore.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, folder: Path, program: Program | None = None
    ) -> None:
        monkeypatch.setattr("irsa_creds._identity.config._node_name", lambda: HOST)
        # The pauses between attempts are not compared.
        monkeypatch.setattr(SystemClock, "sleep", lambda self, seconds: None)
        self._monkeypatch = monkeypatch
        self._folder = folder
        self._program = program or Program()

    def difference(self, case: Case, ours: Outcome) -> dict[str, tuple[Any, Any]]:
        """Return the unexpected fields by name, each with the expected and the actual value."""
        expected = self.expected(case)
        found = {
            name: (getattr(expected, name), getattr(ours, name))
            for name in ("calls", "method", "key", "code", "features")
        }
        # Code that catches botocore's error must catch this one, and there must be an error.
        families = ours.families & expected.families if expected.families else ours.families
        found["families"] = (expected.families, families)
        return {name: pair for name, pair in found.items() if pair[0] != pair[1]}

    def ours(self, case: Case) -> Outcome:
        """Return the outcome with the provider of irsa-creds."""
        try:
            return self._run(case, installed=True)
        finally:
            irsa_creds.uninstall()
            irsa_creds.reset()

    def botocores(self, case: Case) -> Outcome:
        """Return the outcome with botocore's own provider."""
        return self._run(case, installed=False)

    def expected(self, case: Case) -> Outcome:
        """Return botocore's outcome, changed by the rows of the case."""
        rewritten = case
        for row in case.rows & REWRITES.keys():
            rewritten = REWRITES[row](rewritten)
        outcome = self.botocores(rewritten)
        for row in case.rows & OUTCOMES.keys():
            outcome = OUTCOMES[row](outcome, case)
        return outcome

    def _run(self, case: Case, *, installed: bool) -> Outcome:
        with self._monkeypatch.context() as patch:
            self._set_up(case, patch)
            network = self._program.tap(patch)
            network.denial = case.denial
            if case.down:
                network.down = botocore.exceptions.EndpointConnectionError(endpoint_url="")
            try:
                outcome = self._program.resolve(case, installed=installed)
            except Exception as error:  # noqa: BLE001 - the class is compared
                outcome = _failed(error)
            return replace(outcome, calls=_unique(network.sent))

    def _set_up(self, case: Case, patch: pytest.MonkeyPatch) -> None:
        token = self._folder / "token"
        token.unlink(missing_ok=True)
        if case.token is not None:
            token.write_text(case.token)
        files = {"AWS_CONFIG_FILE": case.config, "AWS_SHARED_CREDENTIALS_FILE": case.shared}
        for name, sections in files.items():
            path = self._folder / name.lower()
            path.write_text(_ini(sections).replace(TOKEN_FILE, str(token)))
            patch.setenv(name, str(path))
        for name, value in case.environ.items():
            patch.setenv(name, value.replace(TOKEN_FILE, str(token)))


def _ini(sections: Mapping[str, Mapping[str, str]]) -> str:
    return "".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in section.items())
        for name, section in sections.items()
    )


@cache
def _handlers(session: Any) -> Any:
    """Return the event handlers of a new session: most of its creation is their registration."""
    return session()._original_handler


def _failed(error: Exception) -> Outcome:
    known = vars(botocore.exceptions).values()
    families = {cls.__name__ for cls in type(error).__mro__ if cls in known}
    response = getattr(error, "response", None)
    return Outcome(
        families=frozenset(families - {"Exception"}) or frozenset({type(error).__name__}),
        code=response["Error"]["Code"] if response else None,
    )


def _unique(calls: list[Sent]) -> tuple[Sent, ...]:
    """Return each request once: how often it is tried again is not compared (`Row.RETRIES`)."""
    return tuple(call for i, call in enumerate(calls) if call not in calls[:i])
