"""The response of STS: credentials out of its XML, or one `Failure`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from irsa_creds._credentials import Credentials
from irsa_creds._errors import Failure
from irsa_creds._exchange import advice
from irsa_creds._exchange.http import BODY_LIMIT
from irsa_creds._masking import bare_url, claims_fields, echoes
from irsa_creds._record import Record

if TYPE_CHECKING:
    from typing import Any
    from xml.etree.ElementTree import Element

    from irsa_creds._exchange.advice import ExchangeRequest
    from irsa_creds._exchange.causes import Cause
    from irsa_creds._exchange.http import HttpFailure, HttpResponse

__all__ = ["ExchangeResult", "failure_of", "network_failure", "parse_response"]

_OK = 200
_REDIRECTS = 300
_ERRORS = 400
_SERVER_ERRORS = 500
_FORBIDDEN = {401, 403}
_DENIED = {"AccessDenied", "AccessDeniedException"}
_RETRY_AFTER_LIMIT = 3600.0
# Strings: compiling them takes a tenth of the import's time, and `re` caches what it compiled.
_CODE = r"[A-Za-z0-9._:]{1,64}"
_REQUEST_ID = r"[A-Za-z0-9-]{1,100}"
_SECONDS = r"(?a:\s*(\d{1,9}(?:\.\d*)?)\s*)"
_ARN_PARTS = 6
_FIELDS = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")


class ExchangeResult(Record):
    """The credentials that STS returned.

    Attributes:
        credentials: the credentials.
        date: STS's clock; None if the response has no date.
        endpoint: STS's URL.
        duration: the requested seconds; None if the request left them to STS.
        note: a line for the log; empty if there is none.
    """

    __slots__ = ()

    credentials: Credentials
    date: datetime | None
    endpoint: str | None = None
    duration: int | None = None
    note: str = ""


class _MalformedError(Exception):
    """The response is not one of STS; the text is the predicate of a sentence."""


def parse_response(response: HttpResponse, request: ExchangeRequest) -> ExchangeResult | Failure:
    """Return the credentials of a response, or its failure.

    Args:
        response: of any server.
        request: the request that it responds to.
    """
    root, defect = _parse(response.body)
    error = None if root is None else _error(root)
    if error is not None or response.status != _OK:
        return _error_failure(response, request, root, *(error or ("", "")))
    if root is not None:
        try:
            credentials = _credentials(root, request)
        except _MalformedError as malformed:
            defect = str(malformed)
        else:
            date = _date(response.headers.get("Date"))
            endpoint = bare_url(request.endpoint)
            return ExchangeResult(credentials, date, endpoint, request.duration)
    code = "MalformedAnswer"
    return failure_of(
        request,
        request.cause(code, status=response.status),
        code,
        f"STS returned an invalid response ({code}): it {defect}.",
        status=response.status,
        request_id=_request_id(response, root, request),
    )


def network_failure(error: HttpFailure, request: ExchangeRequest) -> Failure:
    """Return the failure of a request without a response."""
    message = f"{error.headline('STS')}: {request.mask(error.reason).rstrip('.')}."
    return failure_of(request, request.cause(error.code), error.code, message, unreachable=True)


def failure_of(
    request: ExchangeRequest,
    cause: Cause,
    code: str,
    message: str,
    *,
    skew: float | None = None,
    **details: Any,
) -> Failure:
    """Return the failure of a request; STS's clock is `skew` seconds ahead of this machine's."""
    failure = Failure(
        kind="exchange",
        code=code,
        message=message,
        endpoint=bare_url(request.endpoint),
        role_arn=request.role_arn,
        operation=request.operation,
        **claims_fields(request.assertion.claims),
        **details,
    )
    return cause.advised(failure, advice.values(failure, request, skew))


def _parse(body: bytes) -> tuple[Element | None, str]:
    """Return the document's root, or None and what is wrong with it."""
    if len(body) > BODY_LIMIT:
        return None, "is longer than 1 MiB"
    if not body.strip():
        return None, "is empty"
    try:
        text = body.decode()
        # Entities, which grow without bound, can be declared in a DOCTYPE only.
        if "<!doctype" in text.lower():
            return None, "has a DOCTYPE, like a web page"
        return ET.fromstring(text), ""  # noqa: S314 - no DOCTYPE, no entities
    except UnicodeDecodeError:
        return None, "is not UTF-8 text"
    except ET.ParseError:
        return None, "is not well-formed XML, or is truncated"


def _error(root: Element) -> tuple[str, str] | None:
    """Return code and message of an error document; None for any other document.

    AWS's root is `ErrorResponse` with an `Error` in it, Ceph's is `Error` itself.
    """
    name = _name(root)
    error = root if name == "Error" else root.find("{*}Error") if name == "ErrorResponse" else None
    if error is None:
        return None
    code = _text(error, "Code")
    return code if re.fullmatch(_CODE, code) else "", _text(error, "Message")


def _error_failure(
    response: HttpResponse, request: ExchangeRequest, root: Element | None, code: str, words: str
) -> Failure:
    """Return the failure of an error document, or of an HTTP status other than 200."""
    status = response.status
    date = _date(response.headers.get("Date"))
    code = request.mask(code) or f"HTTP{status}"
    words = request.mask(words)
    cause = request.cause(code, words, status)
    return failure_of(
        request,
        cause,
        code,
        _headline(request.operation, code, words, status, throttled=cause.throttled),
        skew=(date - datetime.now(UTC)).total_seconds() if date else None,
        words=words,
        status=status,
        request_id=_request_id(response, root, request),
        retry_after=_retry_after(response.headers.get("Retry-After"), date),
    )


def _headline(operation: str, code: str, words: str, status: int, *, throttled: bool) -> str:
    """Return what happened: the first line of the exception's text."""
    details = words.rstrip(".")
    if throttled:
        verb = "throttled"
    elif status >= _SERVER_ERRORS:
        verb = "failed to process"
    elif status in _FORBIDDEN or code in _DENIED:
        verb = "denied"
    elif words or status >= _ERRORS or status == _OK:
        verb = "rejected"
    elif status < _REDIRECTS:
        verb = "did not process"
    else:
        verb, details = "did not process", "irsa-creds does not follow redirects"
    return f"STS {verb} {operation} ({code}){': ' if details else ''}{details}."


def _request_id(
    response: HttpResponse, root: Element | None, request: ExchangeRequest
) -> str | None:
    found = [response.headers.get("x-amzn-requestid") or ""]
    if root is not None:
        found += [_text(root, "ResponseMetadata", "RequestId"), _text(root, "RequestId")]
    # A server may echo the request.
    for id_ in found:
        if re.fullmatch(_REQUEST_ID, id_) and not echoes(id_, request.secrets):
            return id_
    return None


def _retry_after(text: str | None, date: datetime | None) -> float | None:
    """Return the header Retry-After, which has seconds or a date, in seconds."""
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
    """Return an HTTP date; None if it is missing or not a date."""
    try:
        date = parsedate_to_datetime(text or "")
        return date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _credentials(root: Element, request: ExchangeRequest) -> Credentials:
    found = next((e for e in root.iter() if _name(e) == "Credentials"), None)
    values = {name: "" if found is None else _text(found, name) for name in _FIELDS}
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise _MalformedError(f"lacks {', '.join(missing)}")
    # They go into headers, and the error of an HTTP library for an invalid header quotes it.
    broken = [name for name, value in values.items() if not value.isprintable()]
    if broken:
        raise _MalformedError(f"has unprintable characters in {', '.join(broken)}")
    user = next((e for e in root.iter() if _name(e) == "AssumedRoleUser"), None)
    arn = "" if user is None else _text(user, "Arn")
    # An external ID is not looked for: it may be the account's number or the role's name.
    if echoes(arn, request.assertion.secrets):
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
    """Return an ISO 8601 date with up to nanoseconds (Ceph), in UTC if it has no offset."""
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


def _text(element: Element, *names: str) -> str:
    """Return the text of the first descendant along `names`, in any namespace."""
    path = "/".join(f"{{*}}{name}" for name in names)
    return (element.findtext(path) or "").strip()


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
