"""An OpenID Connect issuer like a cluster's: signing keys, discovery, projected tokens."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from irsa_creds.testing._server import LoopbackServer, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Issuer"]

_AUDIENCE = "sts.amazonaws.com"


class _Key:
    """An RSA signing key with its JWK."""

    def __init__(self) -> None:
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        spki = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        # Kubernetes derives key ids in the same way.
        self.kid = base64.urlsafe_b64encode(hashlib.sha256(spki).digest()).rstrip(b"=").decode()
        self.jwk = {
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            **jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True),
            "x5c": [base64.b64encode(self._certificate()).decode()],
        }
        # PyJWT adds "verify"; published keys name no operation.
        self.jwk.pop("key_ops", None)

    def _certificate(self) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "irsa-creds sandbox issuer")])
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=365))
        )
        certificate = builder.sign(self.private, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.DER)


class Issuer:
    """A cluster's OIDC issuer, which signs tokens of the form that Kubernetes projects.

    Args:
        url: the `iss` claim; None takes the loopback URL of `serve`.
        path: appended to that loopback URL, such as "/id/EXAMPLE"; ignored with `url`.
        clock: seconds since the epoch, for `iat`, `nbf` and `exp`.

    Attributes:
        reachable: if False, its HTTP server returns 503 and the sandbox's STS cannot fetch its
            keys.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        path: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self.reachable = True
        self._url = url
        self._path = path
        self._keys = [_Key()]
        self._other_key: _Key | None = None

    def __repr__(self) -> str:
        return f"<Issuer {self._url or '(not served yet)'}>"

    @property
    def url(self) -> str:
        """The `iss` claim.

        Raises:
            RuntimeError: the issuer has no URL and is not served yet.
        """
        if self._url is None:
            raise RuntimeError("This issuer has no URL yet: pass url=, or enter its serve().")
        return self._url

    @property
    def kid(self) -> str:
        """The id of the current signing key."""
        return self._keys[0].kid

    def discovery(self) -> dict[str, Any]:
        """Return the document of /.well-known/openid-configuration."""
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "authorization_endpoint": "urn:kubernetes:programmatic_authorization",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claims_supported": ["sub", "iss"],
        }

    def jwks(self) -> dict[str, Any]:
        """Return the public keys, the signing one first: Ceph RGW reads no other."""
        return {"keys": [dict(key.jwk) for key in self._keys]}

    def rotate(self, *, keep_old: bool = True) -> None:
        """Sign with a new key from now on.

        Args:
            keep_old: whether older tokens still verify.
        """
        self._keys = [_Key(), *(self._keys if keep_old else [])]

    def token(
        self,
        sub: str | None = None,
        *,
        namespace: str = "default",
        service_account: str = "app",
        audience: str | Sequence[str] = (_AUDIENCE,),
        lifetime: float = 86_400,
        issued_at: float | None = None,
        omit: Sequence[str] = (),
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Return a signed token of the form of Kubernetes' TokenRequest API.

        Args:
            sub: the subject; None builds it from the next two arguments.
            namespace: the service account's namespace.
            service_account: the service account's name.
            audience: the audiences; a string becomes a list of one.
            lifetime: seconds from `issued_at` to `exp`; negative for an expired token.
            issued_at: seconds since the epoch; None is now.
            omit: claims to leave out.
            header: JOSE header fields to set, such as another `kid`.
            **claims: further claims; they replace claims of the same name.
        """
        now = self.clock() if issued_at is None else issued_at
        payload = {
            "aud": [audience] if isinstance(audience, str) else list(audience),
            "exp": int(now + lifetime),
            "iat": int(now),
            "iss": self.url,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": self._kubernetes_claim(namespace, service_account),
            "nbf": int(now),
            "sub": sub or f"system:serviceaccount:{namespace}:{service_account}",
            **claims,
        }
        for claim in omit:
            payload.pop(claim, None)
        return self._signed(payload, self._keys[0], header)

    def forged_token(self, sub: str | None = None, **arguments: Any) -> str:
        """Return a token with the issuer's key id, signed with another key.

        Args:
            sub: as in `token`.
            **arguments: as in `token`.
        """
        if self._other_key is None:
            self._other_key = _Key()
        genuine = self.token(sub, **arguments)
        payload = jwt.decode(genuine, options={"verify_signature": False})
        return self._signed(payload, self._other_key, jwt.get_unverified_header(genuine))

    @contextmanager
    def serve(self, port: int = 0) -> Iterator[Issuer]:
        """Serve the discovery document and the keys over plain HTTP on 127.0.0.1.

        Args:
            port: 0 lets the system choose.
        """
        with LoopbackServer(self._respond, port) as server:
            if self._url is None:
                self._url = server.url + self._path
            yield self

    def _kubernetes_claim(self, namespace: str, service_account: str) -> dict[str, Any]:
        identity = f"{self.url} {namespace} {service_account}"
        return {
            "namespace": namespace,
            "node": {"name": "sandbox-node", "uid": _uid("node")},
            "pod": {"name": f"{service_account}-0", "uid": _uid(f"pod {identity}")},
            "serviceaccount": {"name": service_account, "uid": _uid(f"account {identity}")},
        }

    def _signed(
        self, payload: Mapping[str, Any], key: _Key, header: Mapping[str, Any] | None
    ) -> str:
        headers = {"kid": key.kid, **(header or {})}
        # PyJWT's encode() rejects the invalid claims that tests need; the general signer does not.
        return jwt.api_jws.encode(
            json.dumps(payload, separators=(",", ":")).encode(),
            key.private,
            algorithm="RS256",
            headers=headers,
        )

    def _respond(self, request: Request) -> Reply:
        documents = {"/.well-known/openid-configuration": self.discovery, "/keys": self.jwks}
        for suffix, document in documents.items():
            if request.path.endswith(suffix) and self.reachable:
                return Reply(
                    200, {"Content-Type": "application/json"}, json.dumps(document()).encode()
                )
        return Reply(404 if self.reachable else 503, {"Content-Type": "text/plain"}, b"")


def _uid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))
