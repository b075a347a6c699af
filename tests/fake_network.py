"""A fake network for botocore's HTTP sessions: records requests and responds to them."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session

from sts_server import ASSUMED, NAMESPACE, error_xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

ROLE = "arn:aws:iam::123456789012:role/app"
WEB_IDENTITY = "AssumeRoleWithWebIdentity"
#: The access key in the response to each action.
KEYS = {WEB_IDENTITY: "ASIAWEBIDENTITY00001", "AssumeRole": "ASIASECONDROLE000001"}
#: The ids of features of user agents that tell where a role and its token come from.
CREDENTIAL_FEATURES = frozenset("hiknoq")


@dataclass(frozen=True)
class Sent:
    """One request, and how it would have been sent."""

    url: str
    form: dict[str, str]
    signed_with: str | None
    # Region and service of the signature.
    signed_for: str | None
    verify: Any
    proxy: str | None
    proxy_settings: Any
    client_cert: tuple[Any, Any]
    # Of the user agent: how the program got the credentials, and which application it is.
    features: frozenset[str]
    app_id: str | None
    user_agent: str = field(compare=False)

    @property
    def action(self) -> str:
        return self.form.get("Action", "")


@dataclass(frozen=True)
class ErrorResponse:
    """An error of AWS."""

    code: str
    message: str = "Refused."
    status: int = 400


@dataclass
class FakeNetwork:
    """Responds as STS and other services of AWS do.

    Attributes:
        sent: every request, oldest first.
        denial: the error for AssumeRoleWithWebIdentity; None returns credentials.
        down: raised instead of any response.
        service: the error of all services but STS.
    """

    sent: list[Sent] = field(default_factory=list)
    denial: ErrorResponse | None = None
    down: Exception | None = None
    service: ErrorResponse | None = None

    @classmethod
    def install(cls, monkeypatch: pytest.MonkeyPatch) -> FakeNetwork:
        """Replace the network and return the fake."""
        network = cls()

        def send(session: Any, request: Any) -> AWSResponse:
            return network.send(session, request)

        monkeypatch.setattr(URLLib3Session, "send", send)
        return network

    @property
    def actions(self) -> list[str]:
        return [each.action for each in self.sent]

    def send(self, session: Any, request: Any) -> AWSResponse:
        """Replace `URLLib3Session.send`."""
        sent = _seen(session, request)
        self.sent.append(sent)
        if self.down is not None:
            raise self.down
        if sent.action in KEYS:
            denial = self.denial if sent.action == WEB_IDENTITY else None
            text = _xml(denial) if denial else _credentials_xml(sent.action)
        else:
            denial = self.service
            text = _json(denial) if "X-Amz-Target" in request.headers else _xml(denial)
        if request.method == "HEAD":
            text = ""
        status = denial.status if denial else 200
        headers = {"Date": f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S GMT}"}
        return AWSResponse(request.url, status, headers, _Raw(text.encode()))


def _xml(denial: ErrorResponse | None) -> str:
    return error_xml(denial.code, denial.message) if denial else "<Answer/>"


def _json(denial: ErrorResponse | None) -> str:
    return json.dumps({"__type": denial.code, "message": denial.message} if denial else {})


def set_irsa_environ(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Set the variables of the Pod Identity webhook; return the token file."""
    token = folder / "token"
    token.write_text("an-opaque-token")
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    return token


class _Raw(io.BytesIO):
    """The part of urllib3's response that botocore uses."""

    connection = None

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


def _seen(session: Any, request: Any) -> Sent:
    parts = urlsplit(request.url)
    body = request.body.decode() if isinstance(request.body, bytes) else str(request.body or "")
    authorization = request.headers.get("Authorization", "")
    if isinstance(authorization, bytes):
        authorization = authorization.decode()
    scope = re.search(r"Credential=([^/]+)/[0-9]+/([^,]+)/aws4_request", authorization)
    agent = request.headers.get("User-Agent", "")
    if isinstance(agent, bytes):
        agent = agent.decode()
    features, app_id = re.search(r" m/(\S+)", agent), re.search(r" app/(\S+)", agent)
    return Sent(
        # An empty path is sent as "/".
        url=urlunsplit(parts._replace(path=parts.path or "/")),
        form=dict(parse_qsl(body, keep_blank_values=True)),
        signed_with=scope[1] if scope else None,
        signed_for=scope[2] if scope else None,
        verify=session._verify,
        proxy=session._proxy_config.proxy_url_for(request.url),
        proxy_settings=session._proxy_config.settings,
        client_cert=(session._cert_file, session._key_file),
        features=CREDENTIAL_FEATURES.intersection(features[1].split(",") if features else ()),
        app_id=app_id[1] if app_id else None,
        user_agent=agent,
    )


def _credentials_xml(action: str) -> str:
    expiration = datetime.now(UTC) + timedelta(hours=1)
    return f"""<{action}Response xmlns="{NAMESPACE}"><{action}Result>
  <AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:pod</AssumedRoleId><Arn>{ASSUMED}</Arn></AssumedRoleUser>
  <Credentials>
    <AccessKeyId>{KEYS[action]}</AccessKeyId>
    <SecretAccessKey>canary-secret-key</SecretAccessKey>
    <SessionToken>canary-session-token</SessionToken>
    <Expiration>{expiration:%Y-%m-%dT%H:%M:%SZ}</Expiration>
  </Credentials>
</{action}Result><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></{action}Response>"""
