"""STS's response: credentials from its XML, or a `Failure`.

Imports inside functions are of modules that `preload` has loaded before.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote_plus

from irsa_creds._credentials import Credentials
from irsa_creds._exchange.http import BODY_LIMIT, NoReply, Reply
from irsa_creds._masking import mask, without_pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType
    from typing import Any, Protocol
    from xml.etree.ElementTree import Element

    from irsa_creds._errors import Failure

    class Assertion(Protocol):
        """What shows STS who asks: the token, or what a request is signed with."""

        @property
        def value(self) -> str: ...
        @property
        def secrets(self) -> tuple[str, ...]: ...
        @property
        def fingerprint(self) -> str: ...
        @property
        def claims(self) -> Mapping[str, Any] | None: ...
        @property
        def written(self) -> datetime | None: ...
        def shape(self) -> str: ...


__all__ = [
    "ExchangeRequest",
    "ExchangeResult",
    "bare_url",
    "claims_fields",
    "failure_of",
    "parse_response",
]

_OK = 200
_REDIRECTS = range(300, 400)
_RETRY_AFTER_LIMIT = 3600.0
# Strings: compiling them at import is a tenth of its time, and `re` keeps what it has compiled.
_CODE = r"[A-Za-z0-9._:]{1,64}"
_REQUEST_ID = r"[A-Za-z0-9-]{1,100}"
_SECONDS = r"(?a:\s*(\d{1,9}(?:\.\d*)?)\s*)"
_ARN_PARTS = 6
# A shorter external id is no secret, and may be an ordinary word.
_TELLING = 8
_FIELDS = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")


class ExchangeResult(NamedTuple):
    """What STS gave.

    Attributes:
        credentials: its credentials.
        date: when, by its own clock; None where it did not say.
        endpoint: its URL.
        duration: the seconds that were asked for; None if the request left them to STS.
        note: a line for the log; empty if there is nothing to say.
    """

    credentials: Credentials
    date: datetime | None
    endpoint: str | None = None
    duration: int | None = None
    note: str = ""


class ExchangeRequest(NamedTuple):
    """What was asked of whom: the facts that a failure quotes.

    Attributes:
        role_arn: the role to assume.
        endpoint: whose answer it is.
        duration: the lifetime asked for.
        token: the secret that was sent.
        token_file: where it is; None where it comes from a callable.
        external_id: of a role further down a chain; some use a passphrase.
        signer: the role that signed, in a chain; None where the token alone shows who asks.
    """

    role_arn: str
    endpoint: str
    duration: int | None
    token: Assertion
    signer: str | None = None
    token_file: str | None = None
    external_id: str | None = None

    @property
    def bare_endpoint(self) -> str:
        """The endpoint as it may be shown."""
        return bare_url(self.endpoint)

    @property
    def operation(self) -> str:
        """What STS was asked to do."""
        return "AssumeRole" if self.signer else "AssumeRoleWithWebIdentity"

    def mask(self, text: str) -> str:
        """Return `text` without secrets: those of this request, and what looks like one."""
        secrets = self.secrets()
        return mask(text, *secrets, *map(quote_plus, secrets))

    def secrets(self) -> list[str]:
        """Return what was sent, or signed with, and may not be shown."""
        external = self.external_id or ""
        return [*self.token.secrets, *([external] if len(external) >= _TELLING else [])]


class _MalformedError(Exception):
    """The answer is none of STS's; the text is the predicate of a sentence."""


def parse_response(reply: Reply, asked: ExchangeRequest) -> ExchangeResult | Failure:
    """Return the credentials of an answer, or the failure that it tells of.

    Args:
        reply: any answer of any server.
        asked: what it answers.
    """
    root, trouble = _parse(reply.body)
    refusal = None if root is None else _refusal(root)
    if refusal is not None or reply.status != _OK:
        return _refused(reply, asked, root, *(refusal or ("", "")))
    endpoint = asked.bare_endpoint
    if root is not None:
        try:
            date = _date(reply.headers.get("Date"))
            return ExchangeResult(_credentials(root, asked), date, endpoint, asked.duration)
        except _MalformedError as error:
            trouble = str(error)
    return _failure(
        asked,
        "MalformedAnswer",
        f"The answer of {endpoint} {trouble}.",
        status=reply.status,
        request_id=_request_id(reply, root, asked),
    )


def failure_of(broken: NoReply, asked: ExchangeRequest) -> Failure:
    """Return the failure of a POST that brought no answer.

    Args:
        broken: why.
        asked: what was sent.
    """
    endpoint = asked.bare_endpoint
    reason = asked.mask(broken.reason)
    # A proxy in between, or a file of authorities that is not there: no byte went to STS.
    lost = broken.code == "ProxyConnectionError" or "there is no CA bundle" in reason
    went = "was not reached" if lost else "did not answer"
    message = f"STS at {endpoint} {went} ({broken.code}: {reason})."
    return _failure(asked, broken.code, message, unreachable=True)


def claims_fields(token: Assertion) -> dict[str, Any]:
    """Return what a failure tells of the token, as its fields."""
    told: dict[str, Any] = _table().claims_told(token.claims)
    return told


def _failure(asked: ExchangeRequest, code: str, message: str, **known: Any) -> Failure:
    failure: Failure = _table().failure(asked, code, message, **known)
    return failure


def _table() -> ModuleType:
    """Return what knows what errors mean; a program that meets none pays for none."""
    from irsa_creds._exchange import advice  # noqa: PLC0415

    return advice


def bare_url(url: str) -> str:
    """Return a URL without the user and password that it may hold."""
    return re.sub(r"(?s)(?<=//).*@", "", url)


def _parse(body: bytes) -> tuple[Element | None, str]:
    """Return the document's root, or None and what is wrong with it."""
    from xml.etree import ElementTree as ET  # noqa: PLC0415

    if len(body) > BODY_LIMIT:
        return None, "is longer than 1 MiB"
    if not body.strip():
        return None, "is empty"
    try:
        text = body.decode()
        # Entities, which grow without bound, can be declared in a DOCTYPE only.
        if "<!doctype" in text.lower():
            return None, "has a DOCTYPE, as web pages have"
        return ET.fromstring(text), ""  # noqa: S314 - no DOCTYPE, no entities
    except UnicodeDecodeError:
        return None, "is not UTF-8 text"
    except ET.ParseError:
        return None, "is not well-formed XML, or was cut off"


def _refusal(root: Element) -> tuple[str, str] | None:
    """Return code and message of an error document; None of any other.

    AWS's root is `ErrorResponse` with an `Error` in it, Ceph's is `Error` itself.
    """
    name = _name(root)
    error = root if name == "Error" else _find(root, "Error") if name == "ErrorResponse" else None
    if error is None:
        return None
    code = _text(error, "Code")
    return code if re.fullmatch(_CODE, code) else "", _text(error, "Message")


def _refused(
    reply: Reply, asked: ExchangeRequest, root: Element | None, code: str, words: str
) -> Failure:
    status = reply.status
    date = _date(reply.headers.get("Date"))
    code = asked.mask(code) or f"HTTP{status}"
    said = words = asked.mask(words)
    if status in _REDIRECTS:
        words = words or "a redirect, which is not followed"
    meaning = _table().meaning(code, words, status, chained=asked.signer is not None)
    return _failure(
        asked,
        code,
        f"STS answered {code}{': ' if words else ''}{words.rstrip('.')}.",
        words=said,
        skew=(date - datetime.now(UTC)).total_seconds() if date else None,
        retryable=meaning.retryable,
        throttled=meaning.throttled,
        bad_token=meaning.bad_token,
        attempts=meaning.attempts,
        status=status,
        request_id=_request_id(reply, root, asked),
        retry_after=_retry_after(reply.headers.get("Retry-After"), date),
    )


def _request_id(reply: Reply, root: Element | None, asked: ExchangeRequest) -> str | None:
    found = [reply.headers.get("x-amzn-requestid") or ""]
    if root is not None:
        found += [_text(root, "ResponseMetadata", "RequestId"), _text(root, "RequestId")]
    # Anything else than an id is not shown: a server may echo what it was sent.
    return next(
        (
            id_
            for id_ in found
            if re.fullmatch(_REQUEST_ID, id_) and not _echoes(id_, asked.secrets())
        ),
        None,
    )


def _echoes(text: str, secrets: Iterable[str]) -> bool:
    """Whether `text` is a piece of a secret, or has one in it."""
    return any(text in each or without_pieces(text, each) != text for each in secrets)


def _retry_after(text: str | None, date: datetime | None) -> float | None:
    """Return the header Retry-After in seconds, whether it has seconds or a date."""
    if text is None:
        return None
    seconds = re.fullmatch(_SECONDS, text)
    until = _date(text)
    if seconds:
        wait = float(seconds[1])
    elif until:
        wait = (until - (date or datetime.now(UTC))).total_seconds()
    else:
        return None
    return min(max(wait, 0.0), _RETRY_AFTER_LIMIT)


def _date(text: str | None) -> datetime | None:
    """Return an HTTP date; None where it is missing or none."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415

    try:
        date = parsedate_to_datetime(text or "")
        return date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _credentials(root: Element, asked: ExchangeRequest) -> Credentials:
    found = next((e for e in root.iter() if _name(e) == "Credentials"), None)
    values = {name: "" if found is None else _text(found, name) for name in _FIELDS}
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise _MalformedError(f"lacks {', '.join(missing)}")
    # They go into headers, and an error about a broken header quotes it.
    broken = [name for name, value in values.items() if not value.isprintable()]
    if broken:
        raise _MalformedError(f"has characters that do not print in {', '.join(broken)}")
    user = next((e for e in root.iter() if _name(e) == "AssumedRoleUser"), None)
    arn = "" if user is None else _text(user, "Arn")
    # An external id may be an account's number or a role's name.
    if _echoes(arn, asked.token.secrets):
        arn = ""
    return Credentials(
        access_key_id=values["AccessKeyId"],
        secret_access_key=values["SecretAccessKey"],
        session_token=values["SessionToken"],
        expiration=_expiration(values["Expiration"]),
        account_id=_account(arn),
        assumed_role_arn=arn or None,
    )


def _expiration(text: str) -> datetime:
    """Return an ISO 8601 date with up to nanoseconds (Ceph), UTC where it names no offset."""
    try:
        date = datetime.fromisoformat(text)
        return date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise _MalformedError("has an Expiration that is not a date")


def _account(arn: str) -> str | None:
    """Return the account in an ARN, as BaseAssumeRoleCredentialFetcher does (botocore 1.44.8)."""
    parts = arn.split(":", _ARN_PARTS - 1)
    if parts[0] != "arn" or len(parts) != _ARN_PARTS:
        return None
    return parts[4] or None


def _find(element: Element, *names: str) -> Element | None:
    """Return the first descendant along `names`, whatever their namespace."""
    found: Element | None = element
    for name in names:
        if found is not None:
            found = next((child for child in found if _name(child) == name), None)
    return found


def _text(element: Element, *names: str) -> str:
    found = _find(element, *names)
    return "" if found is None else (found.text or "").strip()


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
