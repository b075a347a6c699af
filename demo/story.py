"""The setup of IRSA, step by step, as an administrator does it."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text

from irsa_creds.testing import Pod, ProjectedVolume

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from irsa_creds.testing import Sandbox

__all__ = ["Story", "set_up_irsa"]

_NAMESPACE, _ACCOUNT = "shop", "reports"
_ROLE, _BUCKET, _KEY = "reports", "shop-reports", "november.csv"
_AUDIENCE = "sts.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Story:
    """The result: a role for one bucket, and a pod for each side.

    Attributes:
        pods: by the side's name, which is its session name too.
        role_arn: the pods' role.
    """

    pods: dict[str, Pod]
    role_arn: str

    def identity(self, side: str) -> str:
        """Return the ARN that S3 must see for a side."""
        return self.role_arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + (
            f"/{side}"
        )


def set_up_irsa(console: Console, sandbox: Sandbox, sides: tuple[str, ...], folder: Path) -> Story:
    """Set up IRSA and print each step.

    Args:
        console: for the output.
        sandbox: issuer, STS, IAM and S3 on this machine.
        sides: names of the pods.
        folder: for the pods' volumes.
    """
    printer = _Printer(console)
    iam, s3 = sandbox.client("iam"), sandbox.client("s3")
    provider_arn = _provider(printer, iam, sandbox.issuer.url)
    role_arn = _role(printer, iam, provider_arn)
    _permissions(printer, iam, s3)
    _service_account(printer, role_arn)
    pods = {side: _pod(sandbox, side, provider_arn, role_arn, folder / side) for side in sides}
    _injected(printer, pods[sides[0]])
    return Story(pods, role_arn)


class _Printer:
    """Prints steps with their code."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._number = 0

    def step(self, title: str, words: str) -> None:
        self._number += 1
        self._console.print()
        self._console.print(
            Text.assemble((f" {self._number} ", "bold reverse"), (f" {title}", "bold"))
        )
        self._console.print(Padding(Text(words), (0, 4)))

    def show(self, code: str, language: str) -> None:
        syntax = Syntax(
            code, language, theme="ansi_dark", background_color="default", word_wrap=True
        )
        self._console.print(Padding(syntax, (0, 0, 0, 6)))


def _provider(printer: _Printer, iam: Any, issuer: str) -> str:
    printer.step(
        "OIDC provider",
        "The cluster signs a token for each pod. The OIDC provider in IAM names the cluster's "
        "issuer and the audience of the tokens.",
    )
    printer.show(
        f"iam.create_open_id_connect_provider(\n"
        f'    Url="{issuer}", ClientIDList=["{_AUDIENCE}"]\n)',
        "python",
    )
    made = iam.create_open_id_connect_provider(
        Url=issuer, ClientIDList=[_AUDIENCE], ThumbprintList=["0" * 40]
    )
    return str(made["OpenIDConnectProviderArn"])


def _role(printer: _Printer, iam: Any, provider_arn: str) -> str:
    printer.step(
        "Role",
        f"Its trust policy allows only the service account {_NAMESPACE}/{_ACCOUNT}: StringEquals "
        "on the token's audience and subject.",
    )
    issuer = provider_arn.partition(":oidc-provider/")[2]
    equals = {
        f"{issuer}:aud": _AUDIENCE,
        f"{issuer}:sub": f"system:serviceaccount:{_NAMESPACE}:{_ACCOUNT}",
    }
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider_arn},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": equals},
    }
    printer.show(json.dumps(statement, indent=2), "json")
    role = iam.create_role(RoleName=_ROLE, AssumeRolePolicyDocument=_policy(statement))["Role"]
    return str(role["Arn"])


def _permissions(printer: _Printer, iam: Any, s3: Any) -> None:
    printer.step("Permission", f"The role may only read the bucket {_BUCKET}.")
    statement = {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{_BUCKET}/*",
    }
    printer.show(json.dumps(statement, indent=2), "json")
    iam.put_role_policy(
        RoleName=_ROLE, PolicyName="read-reports", PolicyDocument=_policy(statement)
    )
    s3.create_bucket(Bucket=_BUCKET)
    s3.put_object(Bucket=_BUCKET, Key=_KEY, Body=b"day,sold\n" + b"1,42\n" * 20)


def _service_account(printer: _Printer, role_arn: str) -> None:
    printer.step("ServiceAccount", "Its annotation names the role for all its pods.")
    manifest = f"""\
        apiVersion: v1
        kind: ServiceAccount
        metadata:
          namespace: {_NAMESPACE}
          name: {_ACCOUNT}
          annotations:
            eks.amazonaws.com/role-arn: {role_arn}"""
    printer.show(textwrap.dedent(manifest), "yaml")


def _pod(sandbox: Sandbox, side: str, provider_arn: str, role_arn: str, volume: Path) -> Pod:
    """Do what webhook and kubelet do, with the token in `volume` instead of /var/run."""
    pod = Pod(
        namespace=_NAMESPACE,
        service_account=_ACCOUNT,
        role_arn=role_arn,
        provider_arn=provider_arn,
        bucket=_BUCKET,
        audience=_AUDIENCE,
        issuer=sandbox.issuer,
        volume=ProjectedVolume(volume),
        environ={
            "AWS_ROLE_ARN": role_arn,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(volume / "token"),
            "AWS_ROLE_SESSION_NAME": side,
            "AWS_REGION": sandbox.region,
            "AWS_DEFAULT_REGION": sandbox.region,
            "AWS_STS_REGIONAL_ENDPOINTS": "regional",
            # These keep the program inside the sandbox.
            "AWS_ENDPOINT_URL": sandbox.endpoint_url,
            "AWS_ENDPOINT_URL_STS": sandbox.sts_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "BUCKET": _BUCKET,
            "KEY": _KEY,
        },
    )
    pod.rotate_token()
    return pod


def _injected(printer: _Printer, pod: Pod) -> None:
    printer.step(
        "Pods",
        "The webhook reads the annotation and injects variables. The kubelet projects a token into "
        "the pod and replaces it from time to time. Its claims (the token itself is not shown):",
    )
    names = "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_REGION"
    printer.show("\n".join(f"{name}={pod.environ[name]}" for name in names), "ini")
    claims = jwt.decode(pod.token_file.read_text(), options={"verify_signature": False})
    shown = {name: claims[name] for name in ("iss", "sub", "aud")}
    shown["exp"] = f"{(claims['exp'] - claims['iat']) / 3600:.0f} h after iat"
    printer.show(json.dumps(shown, indent=2), "json")


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
