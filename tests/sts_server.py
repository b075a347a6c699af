"""A server on the loopback that handles each POST with the next act of a script."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
ROLE = "arn:aws:iam::123456789012:role/reader"
ASSUMED = "arn:aws:sts::123456789012:assumed-role/reader/pod"
# As long as real ones, because masking recognizes secrets by their form.
SECRET_KEY = "canary/secret+key/0123456789abcdefghijkl"
SESSION_TOKEN = "IQoJcanarySessionToken" * 20 + "=="
DATE = "Mon, 05 Jan 2026 10:00:00 GMT"


def jwt(claims: object) -> str:
    """Return an unsigned token with these claims."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'RS256'})}.{part(claims)}.c2lnbmF0dXJl"


EKS_ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
EKS_CLAIMS = {
    "iss": EKS_ISSUER,
    "sub": "system:serviceaccount:ns:sa",
    "aud": ["sts.amazonaws.com"],
    "exp": 1_767_600_000,
}
CLAIMS = {"iss": "https://issuer.example", "sub": "system:serviceaccount:ns:sa", "aud": ["sts"]}
JWT = jwt(CLAIMS)


@dataclass(frozen=True)
class Received:
    """A request as received."""

    line: str
    headers: dict[str, str]
    body: str
    connection: int

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body, keep_blank_values=True, strict_parsing=True))


@dataclass
class Call:
    """A request's connection, for an act to respond on."""

    sock: socket.socket
    stopping: threading.Event

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def drip(self, data: bytes, pause: float) -> None:
        for byte in data:
            if self.stopping.wait(pause):
                return
            self.sock.sendall(bytes([byte]))


Act = "Callable[[Call], None]"


@dataclass
class StsServer:
    """Listens until the end of the `with` block; the last act of the script repeats."""

    script: list[Callable[[Call], None]] = field(default_factory=list)
    certificate: tuple[Path, Path] | None = None
    seen: list[Received] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://localhost:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        _close(self._listener)
        # After this, no connection is accepted.
        self._threads[0].join(5)
        for sock in self._sockets:
            _close(sock)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                self._sockets.append(sock)
                self._start(self._serve, sock, self.connections)

    def _serve(self, sock: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            if self.certificate:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*self.certificate)
                sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                # Before the handshake, or a client that leaves in the middle of it leaves it open.
                self._sockets.append(sock)
                sock.do_handshake()
            stream = sock.makefile("rb")
            while line := stream.readline():
                headers = {}
                while header := stream.readline().strip():
                    name, _, value = header.decode("latin-1").partition(": ")
                    headers[name.lower()] = value
                body = stream.read(int(headers.get("content-length", 0))).decode()
                self.seen.append(Received(line.decode("latin-1").strip(), headers, body, number))
                act = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                act(Call(sock, self._stopping))


def _close(sock: socket.socket) -> None:
    # close() does not wake a thread in accept() or recv().
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


def http(
    body: str | bytes, status: str = "200 OK", *, length: int | None = None, **headers: str
) -> bytes:
    """Return a complete response; header names have `_` for `-`."""
    content = body.encode() if isinstance(body, str) else body
    fields = {
        "Date": DATE,
        "Content-Length": str(len(content) if length is None else length),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + content


def credentials_xml(expiration: str = "2026-01-05T11:00:00Z", *, key: str = "ASIAEXAMPLE") -> str:
    """Return AWS's XML of a success."""
    return f"""<AssumeRoleWithWebIdentityResponse xmlns="{NAMESPACE}">
  <AssumeRoleWithWebIdentityResult>
    <Audience>sts.amazonaws.com</Audience>
    <AssumedRoleUser>
      <AssumedRoleId>AROAEXAMPLE:pod</AssumedRoleId>
      <Arn>{ASSUMED}</Arn>
    </AssumedRoleUser>
    <Provider>arn:aws:iam::123456789012:oidc-provider/issuer.example</Provider>
    <Credentials>
      <AccessKeyId>{key}</AccessKeyId>
      <SecretAccessKey>{SECRET_KEY}</SecretAccessKey>
      <SessionToken>{SESSION_TOKEN}</SessionToken>
      <Expiration>{expiration}</Expiration>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata><RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>"""


def error_xml(code: str, message: str = "") -> str:
    """Return AWS's XML of an error."""
    return f"""<ErrorResponse xmlns="{NAMESPACE}">
  <Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>
  <RequestId>3d86a7d3-0000-1111-2222-123456789abc</RequestId>
</ErrorResponse>"""


def send(data: bytes) -> Callable[[Call], None]:
    """Send `data` and keep the connection."""
    return lambda call: call.send(data)


def success(**kwargs: str) -> Callable[[Call], None]:
    """Send credentials."""
    return send(http(credentials_xml(**kwargs)))


def send_error(
    code: str, message: str = "", status: str = "400 Bad Request"
) -> Callable[[Call], None]:
    """Send an error of STS."""
    return send(http(error_xml(code, message), status))


def hang(call: Call) -> None:
    """Send nothing until the server stops."""
    call.stopping.wait()


def disconnect(call: Call) -> None:
    """Close the connection without a response."""
    call.sock.shutdown(socket.SHUT_RDWR)


def reset(call: Call) -> None:
    """Reset the connection."""
    call.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # `makefile` keeps the descriptor open until the reading loop ends.
    call.sock.close()
    raise OSError


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate for localhost and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(pem))
    key_file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file
