"""The ways in which people, clusters and servers spoil a pod."""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sts_server import (
    StsServer,
    make_certificate,
    success,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    import pytest

    from irsa_creds import IrsaError

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwic3ViIjoicG9kIn0.c2ln"


@dataclass
class Scene:
    """A pod where all is well, for a case to spoil."""

    sts: StsServer
    token: Path
    patch: pytest.MonkeyPatch
    stack: ExitStack
    arguments: dict[str, Any] = field(default_factory=dict)
    released: threading.Event = field(default_factory=threading.Event)

    def set(self, name: str, value: str | None) -> None:
        """Set a variable, or unset it."""
        if value is None:
            self.patch.delenv(name)
        else:
            self.patch.setenv(name, value)


@dataclass(frozen=True)
class Case:
    """One thing that is wrong.

    Attributes:
        spoil: makes it so.
        type: of the error.
        says: what the message must contain, in this order.
        code: the failure's; "" where nothing was tried.
    """

    spoil: Callable[[Scene], object]
    type: type[IrsaError]
    says: tuple[str, ...]
    code: str = ""


def variable(name: str, value: str | None) -> Callable[[Scene], None]:
    return lambda scene: scene.set(name, value)


def profile(line: str, *, aws: bool = True) -> Callable[[Scene], None]:
    def spoil(scene: Scene) -> None:
        config = scene.token.with_name("config")
        config.write_text(f"[default]\n{line}\n")
        scene.set("AWS_CONFIG_FILE", str(config))
        if aws:
            scene.set("AWS_ENDPOINT_URL_STS", None)

    return spoil


def argument(**given: Any) -> Callable[[Scene], None]:
    return lambda scene: scene.arguments.update(given)


def role(arn: str) -> Callable[[Scene], None]:
    def spoil(scene: Scene) -> None:
        scene.set("AWS_ROLE_ARN", arn)
        # Strict at AWS's endpoints only.
        scene.set("AWS_ENDPOINT_URL_STS", None)

    return spoil


def content(text: str | bytes) -> Callable[[Scene], object]:
    data = text.encode() if isinstance(text, str) else text
    return lambda scene: scene.token.write_bytes(data)


def replaced(make: Callable[[Path], object]) -> Callable[[Scene], None]:
    def spoil(scene: Scene) -> None:
        scene.token.unlink()
        make(scene.token)

    return spoil


def forbidden(scene: Scene) -> None:
    """Deny the file; a mode alone would not keep root out."""
    original = os.open

    def deny(path: Any, *arguments: Any, **more: Any) -> int:
        if str(path) == str(scene.token):
            raise PermissionError(13, "Permission denied", str(path))
        return original(path, *arguments, **more)

    scene.token.chmod(0o600)
    scene.patch.setattr(os, "open", deny)


def call(function: Callable[[], Any]) -> Callable[[Scene], None]:
    def spoil(scene: Scene) -> None:
        scene.set("AWS_WEB_IDENTITY_TOKEN_FILE", None)
        scene.arguments["token"] = function

    return spoil


def hanging_call(scene: Scene) -> None:
    def fetch() -> str:
        scene.released.wait(30)
        return JWT

    call(fetch)(scene)
    scene.arguments["timeout"] = 0.3


def vault_is_down() -> str:
    raise OSError("vault is down")


def responses(act: Any) -> Callable[[Scene], None]:
    def spoil(scene: Scene) -> None:
        scene.sts.script[:] = [act]

    return spoil


def slowly(act: Any) -> Callable[[Scene], None]:
    """Respond for longer than an attempt may take."""

    def spoil(scene: Scene) -> None:
        scene.patch.setattr("irsa_creds._engine.timing.ATTEMPT_SECONDS", 0.5)
        responses(act)(scene)

    return spoil


def unused_port(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        scene.set("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{server.getsockname()[1]}")


def stranger(scene: Scene) -> None:
    """Replace STS by a server with a self-signed certificate."""
    certificate = make_certificate(scene.token.parent)
    server = scene.stack.enter_context(StsServer([success()], certificate))
    scene.set("AWS_ENDPOINT_URL_STS", server.url)


def nowhere(scene: Scene) -> None:
    stranger(scene)
    scene.set("AWS_CA_BUNDLE", "/nowhere/ca.pem")
