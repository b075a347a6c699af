"""A correct pod, as facts and in a directory; tests change parts of it."""

from __future__ import annotations

import base64
import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from irsa_creds._identity.token import TokenFile
from irsa_creds.diagnosis._doctor.pod_facts import Facts, Paths, gather_facts
from irsa_creds.testing._volume import ProjectedVolume

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NOW = 1_800_000_000.0
ROLE = "arn:aws:iam::123456789012:role/app"
EKS = "https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
SECRET = "c2lnbmF0dXJlLW9mLWEtdG9rZW4"
VERSIONS = {
    "boto3": "1.43.117",
    "botocore": "1.43.117",
    "filelock": "3.30.0",
    "urllib3": "2.8.0",
}


def jwt(claims: Mapping[str, Any]) -> str:
    """Return an unsigned token; its last segment is the secret that must not be shown."""
    header, payload = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "RS256", "kid": "1"}, claims)
    )
    return f"{header}.{payload}.{SECRET}"


def eks_claims() -> dict[str, Any]:
    """Return the claims of a token that kubelet got ten minutes ago."""
    return {
        "aud": ["sts.amazonaws.com"],
        "exp": int(NOW) - 600 + 86_400,
        "iat": int(NOW) - 600,
        "iss": EKS,
        "kubernetes.io": {"namespace": "prod", "serviceaccount": {"name": "app", "uid": "1"}},
        "nbf": int(NOW) - 600,
        "sub": "system:serviceaccount:prod:app",
    }


@dataclass
class Lab:
    """One pod; None in a mapping removes a value of the correct pod.

    Attributes:
        root: a directory of its own.
        environ: changes to the variables; "{volume}" and "{root}" stand for directories.
        claims: changes to the token's claims; `only` starts from none.
        only: whether `claims` are all that the token has.
        content: of the token's file in place of a token; "{token}" stands for it.
        volume: "projected", "plain" (no `..data`), "subpath" (the file is a mount) or "none".
        config: of AWS's configuration file.
        credentials: of AWS's shared credentials file.
        account: the claims of the pod's API token; None: it has none.
        versions: changes to what is installed.
        profile: that code names.
        read_error: what reading the token's file raises.
        filename: of the token.
        directory: of the volume.
        clock: seconds by which this machine's clock is ahead.
    """

    root: Path
    environ: Mapping[str, str | None] = field(default_factory=dict)
    claims: Mapping[str, Any] = field(default_factory=dict)
    only: bool = False
    content: str | bytes | None = None
    volume: str = "projected"
    config: str | None = None
    credentials: str | None = None
    account: Mapping[str, Any] | None = field(
        default_factory=lambda: {"sub": "system:serviceaccount:prod:app"}
    )
    versions: Mapping[str, str | None] = field(default_factory=dict)
    profile: str | None = None
    read_error: OSError | None = None
    filename: str = "token"
    directory: str = "eks.amazonaws.com/serviceaccount"
    clock: float = 0

    @property
    def token(self) -> str:
        """The token that a sound file would hold."""
        return jwt(_changed({} if self.only else eks_claims(), self.claims))

    def facts(self) -> Facts:
        """Return the facts of the pod."""
        file = self._token_file()
        with ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setattr(metadata, "version", self._version)
            if self.read_error is not None:
                patch.setattr(TokenFile, "_open_and_read", self._raise)
            return gather_facts(
                self._environ(file),
                profile=self.profile,
                now=NOW + self.clock,
                paths=Paths(str(self._mountinfo(file)), str(self._account())),
            )

    def _token_file(self) -> Path:
        directory = self.root / "run/secrets" / self.directory
        file = directory / self.filename
        content = self.token if self.content is None else self.content
        if isinstance(content, str):
            content = content.replace("{token}", self.token).encode()
        if self.volume == "projected":
            ProjectedVolume(directory, filename=self.filename).write(content)
        elif self.volume != "none":
            directory.mkdir(parents=True)
            file.write_bytes(content)
        return file

    def _environ(self, file: Path) -> dict[str, str]:
        sound = {
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_REGION": "eu-central-1",
            "AWS_ROLE_ARN": ROLE,
            "AWS_STS_REGIONAL_ENDPOINTS": "regional",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
            "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        }
        files = {"AWS_CONFIG_FILE": self.config, "AWS_SHARED_CREDENTIALS_FILE": self.credentials}
        for name, content in files.items():
            path = self.root / name
            sound[name] = str(path)
            if content is not None:
                path.write_text(content.replace("{token_file}", str(file)))
        changed = _changed(sound, self.environ)
        return {
            name: value.replace("{volume}", str(file.parent)).replace("{root}", str(self.root))
            for name, value in changed.items()
        }

    def _mountinfo(self, file: Path) -> Path:
        path = self.root / "mountinfo"
        over = "/ {}" if self.volume != "subpath" else "/..2026_11_25_12_50_00.1/token {}"
        point = file if self.volume == "subpath" else file.parent
        named = str(point).replace(" ", "\\040")
        path.write_text(
            "22 1 0:5 / / rw,relatime - overlay overlay rw\n"
            "23 22 0:5 /torn\n"
            f"30 22 0:9 {over.format(named)} ro,relatime - tmpfs tmpfs rw\n"
        )
        return path

    def _account(self) -> Path:
        directory = self.root / "account"
        directory.mkdir()
        if self.account is not None:
            (directory / "token").write_text(jwt(self.account))
        return directory

    def _version(self, name: str) -> str:
        found: Any = {**VERSIONS, **self.versions}.get(name)
        if found is None:
            raise metadata.PackageNotFoundError(name)
        return str(found)

    def _raise(self, *_: object) -> NoReturn:
        assert self.read_error is not None
        raise self.read_error


def _changed(sound: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**sound, **changes}.items() if value is not None}
