"""A verifying STS, with the limits and the messages of AWS, and its order of checks."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from irsa_creds.diagnosis._policy.parse import PolicyError, parse_permissions
from irsa_creds.diagnosis._policy.request import AccessRequest
from irsa_creds.testing._policy import SignedRequest, allows, trusts, trusts_caller
from irsa_creds.testing._responses import AwsError
from irsa_creds.testing._webidentity import verify_token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moto.iam.models import Role

    from irsa_creds.testing._faults import Faults
    from irsa_creds.testing._identity import Identities, SigningIdentity
    from irsa_creds.testing._issuer import Issuer
    from irsa_creds.testing._moto import Moto
    from irsa_creds.testing._responses import Tree

__all__ = ["Session", "Sts"]

_DEFAULT_DURATION = 3600
_DURATIONS = 900, 43_200
_CHAINED = 3600
_POLICY_LIMIT = 2048
_POLICY_ARNS = 10
_ROLE_ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov):iam::\d{12}:role/[\w+=,.@/-]+")
# Shortest and longest length, and allowed characters. Source: the STS API reference.
_PARAMETERS = {
    "RoleArn": ((20, 2048), r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uFFFF]+"),
    "RoleSessionName": ((2, 64), r"[\w+=,.@-]*"),
    "WebIdentityToken": ((4, 20_000), None),
}
_EXPIRED_AGO = 60.0


class Session(NamedTuple):
    """Credentials of a role.

    Attributes:
        identity: the key.
        expires_at: seconds since the epoch, by the true clock.
        lifetime: seconds at first.
    """

    identity: SigningIdentity
    expires_at: float
    lifetime: float

    def expiration(self, clock_skew: float) -> str:
        """Return `expires_at` by a server's clock that is ahead by `clock_skew` seconds."""
        return _timestamp(self.expires_at + clock_skew)


@dataclass(kw_only=True, eq=False, repr=False)
class Sts:
    """Actions of STS with the roles and OIDC providers in moto's IAM.

    Attributes:
        lifetime: seconds; replaces the requested duration; None means as requested.
    """

    moto: Moto
    identities: Identities
    issuers: Mapping[str, Issuer]
    faults: Faults
    clock: Callable[[], float]
    lifetime: float | None = None

    def assume_role_with_web_identity(self, form: Mapping[str, str]) -> dict[str, Tree]:
        """Return the result element of AssumeRoleWithWebIdentity.

        Raises:
            AwsError: AWS would return this error.
            UnsupportedPolicyError: the sandbox cannot decide on the trust policy.
        """
        _check_parameters(form, ("RoleArn", "RoleSessionName", "WebIdentityToken"))
        arn = form["RoleArn"]
        claims, audience, provider = verify_token(
            form["WebIdentityToken"],
            arn,
            moto=self.moto,
            issuers=self.issuers,
            now=self.clock(),
        )
        request = AccessRequest(
            issuer=f"https://{provider.url}",
            claims=claims,
            role_arn=arn,
            facts={"sts:rolesessionname": (form["RoleSessionName"],)},
        )
        role = self.moto.role(arn)
        if role is None or not trusts(role.assume_role_policy_document, request):
            raise AwsError(
                "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"
            )
        return {
            "SubjectFromWebIdentityToken": str(claims["sub"]),
            "Audience": audience,
            **self._session(role, form),
            "Provider": provider.arn,
        }

    def assume_role(self, form: Mapping[str, str], caller: SigningIdentity) -> dict[str, Tree]:
        """Return the result element of AssumeRole.

        Raises:
            AwsError: AWS would return this error.
            UnsupportedPolicyError: the sandbox cannot decide on a policy.
        """
        _check_parameters(form, ("RoleArn", "RoleSessionName"))
        role = self.moto.role(form["RoleArn"])
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

    def _may_assume(self, role: Role, form: Mapping[str, str], caller: SigningIdentity) -> bool:
        """Return whether the trust policy and the caller's policies allow AssumeRole."""
        external_id = form.get("ExternalId")
        facts = {
            "sts:externalid": (external_id,) if external_id else None,
            "sts:rolesessionname": (form["RoleSessionName"],),
        }
        partition, account = caller.arn.split(":")[1], caller.account_id
        by_name = frozenset(filter(None, (caller.arn, caller.role)))
        by_account = frozenset({f"arn:{partition}:iam::{account}:root", account})

        def trusts_one_of(principals: frozenset[str]) -> bool:
            request = SignedRequest("sts:AssumeRole", principals=principals, facts=facts)
            return trusts_caller(role.assume_role_policy_document, request)

        # Within one account, a trust policy that names the caller suffices.
        if account == role.account_id and trusts_one_of(by_name):
            return True
        if not trusts_one_of(by_name | by_account):
            return False
        return self.check_permission(caller, SignedRequest("sts:AssumeRole", resource=role.arn))

    def check_permission(self, caller: SigningIdentity, request: SignedRequest) -> bool:
        """Return whether the policies of the caller's role and session allow a request."""
        if caller.role is None:
            return True
        return allows(self.moto.permissions(caller.role), request) and (
            not caller.session_policies or allows(caller.session_policies, request)
        )

    def _session(self, role: Role, form: Mapping[str, str]) -> dict[str, Tree]:
        duration = int(form.get("DurationSeconds", _DEFAULT_DURATION))
        if duration > int(role.max_session_duration or _DEFAULT_DURATION):
            raise _invalid(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            )
        session = self.open_session(
            role, form["RoleSessionName"], duration, self._session_policies(role.arn, form)
        )
        identity = session.identity
        result: dict[str, Tree] = {
            "AssumedRoleUser": {"AssumedRoleId": identity.user_id, "Arn": identity.arn},
            "Credentials": {
                "AccessKeyId": identity.access_key_id,
                "SecretAccessKey": identity.secret_access_key,
                "SessionToken": identity.session_token or "",
                "Expiration": session.expiration(self.faults.clock_skew),
            },
        }
        if policy := form.get("Policy"):
            result["PackedPolicySize"] = str(math.ceil(100 * len(policy) / _POLICY_LIMIT))
        return result

    def open_session(
        self,
        role: Role,
        session_name: str,
        duration: int,
        session_policies: tuple[str, ...] = (),
    ) -> Session:
        """Create credentials of a role, for `lifetime` or the duration in seconds."""
        expires_at = self._end(duration)
        identity = self.identities.open_session(
            role=role.arn,
            role_id=role.id,
            session_name=session_name,
            expires_at=expires_at,
            session_policies=session_policies,
        )
        return Session(identity, expires_at, expires_at - self.clock())

    def _end(self, duration: int) -> float:
        if self.faults.outage == "expired":
            return self.clock() - _EXPIRED_AGO
        if self.lifetime is not None:
            return self.clock() + self.lifetime
        # AWS's expirations are whole seconds.
        return math.floor(self.clock() + duration)

    def _session_policies(self, role_arn: str, form: Mapping[str, str]) -> tuple[str, ...]:
        documents = [form["Policy"]] if form.get("Policy") else []
        for arn in _policy_arns(form):
            document = self.moto.policy(role_arn, arn)
            if document is None:
                raise _invalid(f"The policy {arn} does not exist in the sandbox")
            documents.append(document)
        return tuple(documents)


def _check_parameters(form: Mapping[str, str], required: tuple[str, ...]) -> None:
    for name in required:
        value = form.get(name)
        if value is None:
            raise _constraint(name, None, "Member must not be null")
        lengths, pattern = _PARAMETERS[name]
        shown = None if name == "WebIdentityToken" else value
        _check_range(name, shown, "length", len(value), lengths)
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
    _check_range("DurationSeconds", text, "value", int(text), _DURATIONS)


def _check_policies(form: Mapping[str, str]) -> None:
    policy = form.get("Policy")
    if policy is not None:
        _check_range("Policy", None, "length", len(policy), (0, _POLICY_LIMIT))
        try:
            parse_permissions(policy)
        except PolicyError:
            raise AwsError("MalformedPolicyDocument", "Syntax errors in policy.") from None
    _check_range("PolicyArns", None, "length", len(_policy_arns(form)), (0, _POLICY_ARNS))


def _check_range(
    name: str, shown: str | None, what: str, number: int, bounds: tuple[int, int]
) -> None:
    least, most = bounds
    if number < least:
        raise _constraint(name, shown, f"Member must have {what} greater than or equal to {least}")
    if number > most:
        raise _constraint(name, shown, f"Member must have {what} less than or equal to {most}")


def _policy_arns(form: Mapping[str, str]) -> list[str]:
    return [
        value for name, value in form.items() if re.fullmatch(r"PolicyArns\.member\.\d+\.arn", name)
    ]


def _timestamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    # Only the short lifetimes of tests need the fraction.
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
