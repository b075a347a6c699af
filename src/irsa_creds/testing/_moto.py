"""moto as a WSGI application in this process: IAM and S3, and lookups in its IAM."""

from __future__ import annotations

import io
import sys
from contextlib import closing
from email.message import Message
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from moto.backends import get_backend
from moto.core.models import botocore_stubber
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from irsa_creds.testing._server import Reply, Request

if TYPE_CHECKING:
    from moto.iam.models import IAMBackend, OpenIDConnectProvider, Role

__all__ = ["Moto"]


class Moto:
    """moto of this process; its state is global."""

    def __init__(self) -> None:
        self._application = DomainDispatcherApplication(create_backend_app)

    def begin(self) -> None:
        """Empty moto's state.

        Raises:
            RuntimeError: moto's `mock_aws` is active and would lose its buckets.
        """
        if botocore_stubber.enabled:
            raise RuntimeError(
                "moto's mock_aws is active in this process. The sandbox shares its state and would "
                "empty it. End the mock first, or create the test's resources in the sandbox."
            )
        self.reset()

    def reset(self) -> None:
        """Drop every bucket, role and provider."""
        headers = Message()
        headers["Host"] = "localhost"
        self.forward(Request("POST", "/moto-api/reset", "", headers, b""), "")

    def forward(self, request: Request, account_id: str) -> Reply:
        """Return moto's response to a request of an account."""
        head: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> None:
            head.update(status=int(status.partition(" ")[0]), headers=dict(headers))

        chunks = self._application(_environ(request, account_id), start_response)
        with closing(chunks):
            body = b"".join(chunks)
        return Reply(head["status"], head["headers"], body)

    def role(self, arn: str) -> Role | None:
        """Return the role with an ARN, or None."""
        name = arn.rpartition("/")[2]
        roles = list(self._iam(arn).roles.values())
        return next((role for role in roles if role.name == name and role.arn == arn), None)

    def provider(self, role_arn: str, issuer: str) -> OpenIDConnectProvider | None:
        """Return the OIDC provider of an issuer in the role's account, or None."""
        url = issuer.rpartition("://")[2].rstrip("/")
        providers = list(self._iam(role_arn).open_id_providers.values())
        return next((found for found in providers if found.url.rstrip("/") == url), None)

    def permissions(self, role_arn: str) -> list[str]:
        """Return the permission policies of a role, inline and attached, as JSON."""
        role = self.role(role_arn)
        if role is None:
            return []
        attached = [policy.arn for policy in role.managed_policies.values()]
        return [*role.policies.values(), *(self.policy(role_arn, arn) or "" for arn in attached)]

    def policy(self, role_arn: str, policy_arn: str) -> str | None:
        """Return the default version of a managed policy as JSON, or None."""
        policy = self._iam(role_arn).managed_policies.get(policy_arn)
        versions = [] if policy is None else policy.versions
        return next((version.document for version in versions if version.is_default), None)

    @staticmethod
    def _iam(arn: str) -> IAMBackend:
        _, partition, _, _, account_id, _ = arn.split(":", 5)
        return get_backend("iam")[account_id][partition]


def _environ(request: Request, account_id: str) -> dict[str, Any]:
    """Return the request as a WSGI environment (PEP 3333)."""
    host, _, port = request.headers["Host"].partition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "RAW_URI": f"{request.path}?{request.query}" if request.query else request.path,
        "SERVER_NAME": host,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    environ.pop("HTTP_TRANSFER_ENCODING", None)  # the body is complete by now
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    environ["CONTENT_LENGTH"] = str(len(request.body))
    if account_id:
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = account_id
    return environ
