"""An STS that verifies: three actions, in AWS's order, words and limits."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from irsa_creds.diagnosis._policy.parse import PolicyError, parse_permissions
from irsa_creds.diagnosis._policy.request import Request
from irsa_creds.testing._answers import AwsError
from irsa_creds.testing._policy import Question, allows, trusts_caller, trusts_token
from irsa_creds.testing._webidentity import verify_token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moto.iam.models import Role

    from irsa_creds.testing._answers import Tree
    from irsa_creds.testing._faults import Faults
    from irsa_creds.testing._identity import Identities, Identity
    from irsa_creds.testing._issuer import Issuer
    from irsa_creds.testing._moto import Moto

__all__ = ["Sts", "check_permission"]

_DEFAULT_DURATION = 3600
_SHORTEST, _LONGEST = 900, 43_200
_CHAINED = 3600
_POLICY_LIMIT = 2048
_POLICY_ARNS = 10
_ROLE_ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov):iam::\d{12}:role/[\w+=,.@/-]+")
# Longest and shortest of each, and what it may consist of. Source: the STS API reference.
_PARAMETERS = {
    "RoleArn": (20, 2048, r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uFFFF]+"),
    "RoleSessionName": (2, 64, r"[\w+=,.@-]*"),
    "WebIdentityToken": (4, 20_000, None),
}
_EXPIRED_AGO = 60.0


class Sts:
    """The actions of STS over the roles and providers in moto's IAM.

    Attributes:
        lifetime: seconds that credentials last, over what was asked; None for as asked.
    """

    def __init__(
        self,
        *,
        moto: Moto,
        identities: Identities,
        issuers: Mapping[str, Issuer],
        faults: Faults,
        clock: Callable[[], float],
    ) -> None:
        self.lifetime: float | None = None
        self._moto = moto
        self._identities = identities
        self._issuers = issuers
        self._faults = faults
        self._clock = clock

    def assume_role_with_web_identity(self, form: Mapping[str, str]) -> dict[str, Tree]:
        """Return the result element of AssumeRoleWithWebIdentity.

        Raises:
            AwsError: AWS would refuse.
            UnsupportedPolicyError: the trust policy asks for what the sandbox does not know.
        """
        _check_parameters(form, ("RoleArn", "RoleSessionName", "WebIdentityToken"))
        arn = form["RoleArn"]
        token = verify_token(
            form["WebIdentityToken"],
            arn,
            moto=self._moto,
            issuers=self._issuers,
            now=self._clock(),
        )
        request = Request(
            issuer=f"https://{token.provider_url}",
            claims=token.claims,
            role_arn=arn,
            facts={"sts:rolesessionname": (form["RoleSessionName"],)},
        )
        role = self._moto.role(arn)
        if role is None or not trusts_token(role.assume_role_policy_document, request):
            raise AwsError(
                "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"
            )
        return {
            "SubjectFromWebIdentityToken": token.subject,
            "Audience": token.audience,
            **self._session(role, form),
            "Provider": token.provider_arn,
        }

    def assume_role(self, form: Mapping[str, str], caller: Identity) -> dict[str, Tree]:
        """Return the result element of AssumeRole.

        Raises:
            AwsError: AWS would refuse.
            UnsupportedPolicyError: a policy asks for what the sandbox does not know.
        """
        _check_parameters(form, ("RoleArn", "RoleSessionName"))
        role = self._moto.role(form["RoleArn"])
        if role is None or not self._may_assume(role, form, caller):
            raise AwsError(
                "AccessDenied",
                f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: "
                f"{form['RoleArn']}",
            )
        if caller.role and int(form.get("DurationSeconds", "0")) > _CHAINED:
            raise _invalid(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles "
                "assumed by role chaining"
            )
        return self._session(role, form)

    def _may_assume(self, role: Role, form: Mapping[str, str], caller: Identity) -> bool:
        """Return what trust policy and caller's policies say together."""
        external_id = form.get("ExternalId")
        facts = {
            "sts:externalid": (external_id,) if external_id else None,
            "sts:rolesessionname": (form["RoleSessionName"],),
        }
        root = caller.arn.split(":")[1], caller.account_id
        by_name = frozenset({caller.arn, *([caller.role] if caller.role else [])})
        by_account = frozenset({f"arn:{root[0]}:iam::{root[1]}:root", caller.account_id})

        def trusts(names: frozenset[str]) -> bool:
            question = Question("sts:AssumeRole", names=names, facts=facts)
            return trusts_caller(role.assume_role_policy_document, question)

        # Within an account a trust policy that names the caller is enough by itself.
        if caller.account_id == role.account_id and trusts(by_name):
            return True
        if not trusts(by_name | by_account):
            return False
        return check_permission(self._moto, caller, Question("sts:AssumeRole", resource=role.arn))

    def _session(self, role: Role, form: Mapping[str, str]) -> dict[str, Tree]:
        duration = int(form.get("DurationSeconds", _DEFAULT_DURATION))
        if duration > int(role.max_session_duration or _DEFAULT_DURATION):
            raise _invalid(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            )
        expires_at = self._end(duration)
        identity = self._identities.open_session(
            role=role.arn,
            role_id=role.id,
            session_name=form["RoleSessionName"],
            expires_at=expires_at,
            session_policies=self._session_policies(role.arn, form),
        )
        result: dict[str, Tree] = {
            "AssumedRoleUser": {"AssumedRoleId": identity.user_id, "Arn": identity.arn},
            "Credentials": {
                "AccessKeyId": identity.access_key_id,
                "SecretAccessKey": identity.secret_access_key,
                "SessionToken": identity.session_token or "",
                "Expiration": _timestamp(expires_at + self._faults.clock_skew),
            },
        }
        if policy := form.get("Policy"):
            result["PackedPolicySize"] = str(math.ceil(100 * len(policy) / _POLICY_LIMIT))
        return result

    def _end(self, duration: int) -> float:
        if self._faults.outage == "expired":
            return self._clock() - _EXPIRED_AGO
        if self.lifetime is not None:
            return self._clock() + self.lifetime
        # AWS ends on a whole second.
        return math.floor(self._clock() + duration)

    def _session_policies(self, role_arn: str, form: Mapping[str, str]) -> tuple[str, ...]:
        documents = [form["Policy"]] if form.get("Policy") else []
        for arn in _policy_arns(form):
            document = self._moto.policy(role_arn, arn)
            if document is None:
                raise _invalid(f"The policy {arn} does not exist in the sandbox")
            documents.append(document)
        return tuple(documents)


def check_permission(moto: Moto, caller: Identity, question: Question) -> bool:
    """Return whether the caller's own policies, and its session's, allow what is asked."""
    if caller.role is None:
        return True
    return allows(moto.permissions(caller.role), question) and (
        not caller.session_policies or allows(caller.session_policies, question)
    )


def _check_parameters(form: Mapping[str, str], required: tuple[str, ...]) -> None:
    for name in required:
        value = form.get(name)
        if value is None:
            raise _constraint(name, None, "Member must not be null")
        shortest, longest, pattern = _PARAMETERS[name]
        shown = None if name == "WebIdentityToken" else value
        if len(value) < shortest:
            raise _constraint(
                name, shown, f"Member must have length greater than or equal to {shortest}"
            )
        if len(value) > longest:
            raise _constraint(
                name, shown, f"Member must have length less than or equal to {longest}"
            )
        if pattern and not re.fullmatch(pattern, value, re.ASCII if name != "RoleArn" else 0):
            raise _constraint(
                name, value, f"Member must satisfy regular expression pattern: {pattern}"
            )
    _check_duration(form.get("DurationSeconds"))
    _check_policies(form)
    if not _ROLE_ARN.fullmatch(form["RoleArn"]):
        raise _invalid("Request ARN is invalid")


def _check_duration(text: str | None) -> None:
    if text is None:
        return
    if not re.fullmatch(r"-?\d+", text):
        raise AwsError("MalformedInput", "DurationSeconds is not a number")
    for limit, holds, words in (
        (_SHORTEST, int(text) >= _SHORTEST, "greater"),
        (_LONGEST, int(text) <= _LONGEST, "less"),
    ):
        if not holds:
            raise _constraint(
                "DurationSeconds", text, f"Member must have value {words} than or equal to {limit}"
            )


def _check_policies(form: Mapping[str, str]) -> None:
    policy = form.get("Policy")
    if policy is not None:
        if len(policy) > _POLICY_LIMIT:
            raise _constraint(
                "Policy", None, f"Member must have length less than or equal to {_POLICY_LIMIT}"
            )
        try:
            parse_permissions(policy)
        except PolicyError:
            raise AwsError("MalformedPolicyDocument", "Syntax errors in policy.") from None
    if len(_policy_arns(form)) > _POLICY_ARNS:
        raise _constraint(
            "PolicyArns", None, f"Member must have length less than or equal to {_POLICY_ARNS}"
        )


def _policy_arns(form: Mapping[str, str]) -> list[str]:
    return [
        value for name, value in form.items() if re.fullmatch(r"PolicyArns\.member\.\d+\.arn", name)
    ]


def _timestamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    # Short lifetimes need the fraction; AWS's whole seconds have none.
    digits = "" if moment.microsecond == 0 else f".{moment.microsecond:06d}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}{digits}Z"


def _constraint(name: str, value: str | None, constraint: str) -> AwsError:
    shown = f" '{value}'" if value is not None else " null" if "null" in constraint else ""
    field = name[0].lower() + name[1:]
    return _invalid(
        f"1 validation error detected: Value{shown} at '{field}' failed to satisfy constraint: "
        f"{constraint}"
    )


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)
