"""Request handling of the sandbox: authenticate, authorize, dispatch to a service."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from irsa_creds.testing._agent import ACTION, agent_error, agent_result
from irsa_creds.testing._log import S3Call
from irsa_creds.testing._policy import SignedRequest, UnsupportedPolicyError
from irsa_creds.testing._responses import AwsError, query_error, query_result, s3_error
from irsa_creds.testing._s3 import s3_permissions
from irsa_creds.testing._server import Reply
from irsa_creds.testing._sigv2 import read_presigned
from irsa_creds.testing._sigv4 import read_signature

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from irsa_creds.testing._agent import Agent
    from irsa_creds.testing._faults import InjectedFaults
    from irsa_creds.testing._identity import Identities, SigningIdentity
    from irsa_creds.testing._log import CallLog
    from irsa_creds.testing._moto import Moto
    from irsa_creds.testing._responses import Tree
    from irsa_creds.testing._server import Request
    from irsa_creds.testing._sigv4 import Signature
    from irsa_creds.testing._sts import Sts

__all__ = ["AGENT_PATH", "Services"]

#: Of the URL that EKS sets.
AGENT_PATH = "/v1/credentials"

_LOG = logging.getLogger("irsa_creds.testing")


class Services:
    """STS, IAM and S3 behind one URL."""

    def __init__(
        self,
        *,
        sts: Sts,
        agent: Agent,
        moto: Moto,
        identities: Identities,
        faults: InjectedFaults,
        log: CallLog,
        clock: Callable[[], float],
        closing: threading.Event,
    ) -> None:
        self._sts = sts
        self._agent = agent
        self._moto = moto
        self._identities = identities
        self._faults = faults
        self._log = log
        self._clock = clock
        self._closing = closing

    def common(self, request: Request) -> Reply:
        """Handle a request to the common URL; the signature's scope names the service."""
        try:
            signature = read_presigned(request) or read_signature(request)
        except AwsError as error:
            return s3_error(error)
        if signature is None:
            return self.sts(request) if "Action" in _form(request) else self._s3(request, None)
        match signature.service:
            case "sts":
                return self.sts(request)
            case "iam":
                return self._iam(request, signature)
            case "s3":
                return self._s3(request, signature)
        return s3_error(
            _unsupported(f"The sandbox serves STS, IAM and S3, not {signature.service}.")
        )

    def sts(self, request: Request) -> Reply:
        """Handle a request to STS, with the current faults."""
        form = _form(request)
        number = self._log.begin(request, form)
        self._closing.wait(self._faults.latency)
        reply, outcome, key = self._sts_outcome(request, form)
        self._log.finish(number, outcome, key)
        return self._dated(reply)

    def agent(self, request: Request) -> Reply:
        """Handle a request to the Pod Identity agent, with the current faults."""
        if request.path != AGENT_PATH:
            return Reply(404, {"Content-Type": "text/plain"}, b"404 page not found\n")
        token = request.headers.get("Authorization", "")
        number = self._log.begin(request, {"Action": ACTION, "WebIdentityToken": token})
        self._closing.wait(self._faults.latency)
        reply, outcome, key = self._agent_outcome(token)
        self._log.finish(number, outcome, key)
        return self._dated(reply)

    def _agent_outcome(self, token: str) -> tuple[Reply, str, str | None]:
        mode = self._faults.outage
        if mode and (reply := self._faults.total_failure(mode)):
            return reply, mode, None
        key = None
        try:
            if failure := self._faults.take_failure():
                raise failure
            session = self._agent.session_for(token)
            reply = agent_result(session, clock_skew=self._faults.clock_skew)
            key, outcome = session.identity.access_key_id, mode or "OK"
        except UnsupportedPolicyError as error:
            reply, outcome = agent_error(_unsupported(str(error))), "NotImplemented"
        except AwsError as error:
            reply, outcome = agent_error(error), error.code or "Invalid"
        return (self._faults.spoil(mode, reply) if mode else reply), outcome, key

    def _sts_outcome(self, request: Request, form: dict[str, str]) -> tuple[Reply, str, str | None]:
        mode = self._faults.outage
        if mode and (reply := self._faults.total_failure(mode)):
            return reply, mode, None
        key = None
        try:
            result = self._sts_result(request, form)
            reply, outcome = query_result("sts", form["Action"], result), mode or "OK"
            credentials = result.get("Credentials")
            key = credentials["AccessKeyId"] if isinstance(credentials, dict) else None
        except UnsupportedPolicyError as error:
            reply, outcome = query_error("sts", _unsupported(str(error))), "NotImplemented"
        except AwsError as error:
            reply, outcome = query_error("sts", error), error.code
        return (self._faults.spoil(mode, reply) if mode else reply), outcome, key

    def _sts_result(self, request: Request, form: dict[str, str]) -> dict[str, Tree]:
        if failure := self._faults.take_failure():
            raise failure
        match form.get("Action"):
            case "AssumeRoleWithWebIdentity":
                return self._sts.assume_role_with_web_identity(form)
            case "AssumeRole":
                return self._sts.assume_role(form, self._caller(request))
            case "GetCallerIdentity":
                caller = self._caller(request)
                return {
                    "Arn": caller.arn,
                    "UserId": caller.user_id,
                    "Account": caller.account_id,
                }
        raise AwsError(
            "InvalidAction",
            f"Could not find operation {form.get('Action')} for version {form.get('Version')}",
        )

    def _caller(self, request: Request) -> SigningIdentity:
        signature = read_signature(request)
        if signature is None:
            raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token")
        return self._identities.authenticate(request, signature)

    def _iam(self, request: Request, signature: Signature) -> Reply:
        try:
            caller = self._identities.authenticate(request, signature)
            # The sandbox checks IAM's actions, not IAM's resources.
            self._permit(caller, f"iam:{_form(request).get('Action')}", "*")
        except UnsupportedPolicyError as error:
            return query_error("iam", _unsupported(str(error)))
        except AwsError as error:
            return query_error("iam", error)
        return self._moto.forward(request, caller.account_id)

    def _s3(self, request: Request, signature: Signature | None) -> Reply:
        caller = None
        try:
            if signature is None:
                raise AwsError("AccessDenied", "Access Denied")  # noqa: TRY301 - as S3's other errors
            caller = self._identities.authenticate(request, signature)
            if caller.role:
                for action, resource in s3_permissions(request, caller.arn.split(":")[1]):
                    self._permit(caller, action, resource)
            reply = self._moto.forward(request, caller.account_id)
        except UnsupportedPolicyError as error:
            reply = s3_error(_unsupported(str(error)))
        except AwsError as error:
            reply = s3_error(error)
        self._log.add_s3(
            S3Call(
                at=time.monotonic(),
                access_key_id=signature.access_key_id if signature else None,
                arn=caller.arn if caller else None,
                method=request.method,
                path=request.path,
                status=reply.status,
            )
        )
        return self._dated(reply)

    def _permit(self, caller: SigningIdentity, action: str, resource: str) -> None:
        if not self._sts.check_permission(caller, SignedRequest(action, resource=resource)):
            raise AwsError(
                "AccessDenied",
                f"User: {caller.arn} is not authorized to perform: {action} on resource: "
                f'"{resource}" because no identity-based policy allows the {action} action',
            )

    def _dated(self, reply: Reply) -> Reply:
        header = self._faults.date_header
        if header == "now":
            header = formatdate(self._clock() + self._faults.clock_skew, usegmt=True)
        return replace(reply, headers={**reply.headers, **({"Date": header} if header else {})})


def _form(request: Request) -> dict[str, str]:
    """Return the parameters of a request in the query protocol."""
    kind = request.headers.get("Content-Type", "")
    if request.method == "POST" and kind.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))
    return dict(parse_qsl(request.query, keep_blank_values=True))


def _unsupported(message: str) -> AwsError:
    _LOG.error("%s", message)
    # No client retries 501, unlike 500.
    return AwsError("NotImplemented", message)
