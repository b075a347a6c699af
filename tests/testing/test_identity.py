from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from testing.sandbox_http import Response, http, post

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds.testing import Pod, Sandbox
    from testing.sandbox_http import MovableClock

    Exchange = Callable[..., Response]

SESSION = "arn:aws:sts::123456789012:assumed-role/app-role/app-0"


def code(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def trust(principal: str, condition: dict[str, Any] | None = None) -> str:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": "sts:AssumeRole",
    }
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


class TestCallerIdentity:
    def test_belongs_to_the_key(
        self, exchange: Exchange, client_of: Callable[..., Any], sandbox: Sandbox
    ) -> None:
        identity = client_of(exchange(), "sts").get_caller_identity()
        assert (identity["Arn"], identity["Account"]) == (SESSION, "123456789012")
        assert identity["UserId"].endswith(":app-0")
        admin = sandbox.client("sts").get_caller_identity()
        assert admin["Arn"] == "arn:aws:iam::123456789012:root"

    def test_can_be_requested_with_a_presigned_url(
        self, exchange: Exchange, client_of: Callable[..., Any], sandbox: Sandbox
    ) -> None:
        url = client_of(exchange(), "sts").generate_presigned_url(
            "get_caller_identity", HttpMethod="GET"
        )
        target = url.removeprefix(sandbox.endpoint_url)
        assert http(sandbox.endpoint_url, path=target)["Arn"] == SESSION
        assert "X-Amz-Credential" in sandbox.sts_calls[-1].params
        assert not {"X-Amz-Security-Token", "X-Amz-Signature"} & set(sandbox.sts_calls[-1].params)

    def test_needs_a_signature(self, sandbox: Sandbox) -> None:
        for url in (sandbox.sts_url, sandbox.endpoint_url):
            response = post(url, {"Action": "GetCallerIdentity", "Version": "2011-06-15"})
            assert (response.status, response["Code"]) == (403, "MissingAuthenticationToken")

    def test_fails_with_expired_credentials(
        self, exchange: Exchange, client_of: Callable[..., Any], clock: MovableClock
    ) -> None:
        sts = client_of(exchange(), "sts")
        clock.ahead += 3601
        assert code(sts.get_caller_identity) == "ExpiredToken"

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"aws_access_key_id": "ASIAUNKNOWNUNKNOWN00"}, "InvalidClientTokenId"),
            ({"aws_session_token": None}, "InvalidClientTokenId"),
            ({"aws_secret_access_key": "another"}, "SignatureDoesNotMatch"),
        ],
    )
    def test_needs_complete_and_known_credentials(
        self,
        exchange: Exchange,
        client_of: Callable[..., Any],
        changes: dict[str, Any],
        expected: str,
    ) -> None:
        assert code(client_of(exchange(), "sts", **changes).get_caller_identity) == expected


class TestAssumeRole:
    TARGET = "arn:aws:iam::123456789012:role/target"
    OTHER_ACCOUNT = "arn:aws:iam::222222222222:role/target"

    @pytest.fixture
    def sts(self, exchange: Exchange, client_of: Callable[..., Any]) -> Any:
        return client_of(exchange(), "sts")

    def target(self, sandbox: Sandbox, document: str, account_id: str | None = None) -> None:
        iam = sandbox.client("iam", account_id=account_id)
        iam.create_role(RoleName="target", AssumeRolePolicyDocument=document)

    def permit(self, sandbox: Sandbox) -> None:
        statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
        sandbox.client("iam").put_role_policy(
            RoleName="app-role",
            PolicyName="assume",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
        )

    def test_works_if_the_trust_policy_names_the_source_role(
        self, sts: Any, sandbox: Sandbox, pod: Pod
    ) -> None:
        self.target(sandbox, trust(pod.role_arn))
        response = sts.assume_role(RoleArn=self.TARGET, RoleSessionName="second")
        arn = "arn:aws:sts::123456789012:assumed-role/target/second"
        assert response["AssumedRoleUser"]["Arn"] == arn
        call = sandbox.sts_calls[-1]
        assert (call.action, call.outcome, call.token_sha256) == ("AssumeRole", "OK", None)
        assert call.access_key_id == response["Credentials"]["AccessKeyId"]
        assert "Authorization" not in call.headers
        assert "X-Amz-Security-Token" not in call.headers

    def test_needs_a_permission_if_the_trust_policy_names_the_account(
        self, sts: Any, sandbox: Sandbox
    ) -> None:
        self.target(sandbox, trust("arn:aws:iam::123456789012:root"))
        arguments = {"RoleArn": self.TARGET, "RoleSessionName": "second"}
        assert code(sts.assume_role, **arguments) == "AccessDenied"
        self.permit(sandbox)
        sts.assume_role(**arguments)

    def test_across_accounts_needs_trust_and_permission(
        self, sts: Any, sandbox: Sandbox, pod: Pod
    ) -> None:
        self.target(sandbox, trust(pod.role_arn), "222222222222")
        arguments = {"RoleArn": self.OTHER_ACCOUNT, "RoleSessionName": "second"}
        assert code(sts.assume_role, **arguments) == "AccessDenied"
        self.permit(sandbox)
        response = sts.assume_role(**arguments)
        assert ":222222222222:" in response["AssumedRoleUser"]["Arn"]

    def test_is_denied_by_another_trust_policy_and_for_a_missing_role(
        self, sts: Any, sandbox: Sandbox
    ) -> None:
        self.permit(sandbox)
        self.target(sandbox, trust("arn:aws:iam::123456789012:role/else"))
        with pytest.raises(ClientError) as caught:
            sts.assume_role(RoleArn=self.TARGET, RoleSessionName="second")
        assert caught.value.response["Error"]["Message"] == (
            f"User: {SESSION} is not authorized to perform: sts:AssumeRole on resource: "
            f"{self.TARGET}"
        )
        missing = {"RoleArn": f"{self.TARGET}s", "RoleSessionName": "second"}
        assert code(sts.assume_role, **missing) == "AccessDenied"

    def test_checks_the_external_id(self, sts: Any, sandbox: Sandbox, pod: Pod) -> None:
        self.target(sandbox, trust(pod.role_arn, {"StringEquals": {"sts:ExternalId": "our-id"}}))
        arguments = {"RoleArn": self.TARGET, "RoleSessionName": "second"}
        assert code(sts.assume_role, **arguments) == "AccessDenied"
        sts.assume_role(**arguments, ExternalId="our-id")

    def test_in_a_role_chain_lasts_at_most_an_hour(
        self, sts: Any, sandbox: Sandbox, pod: Pod
    ) -> None:
        self.target(sandbox, trust(pod.role_arn))
        arguments = {"RoleArn": self.TARGET, "RoleSessionName": "second", "DurationSeconds": 3601}
        with pytest.raises(ClientError, match="1 hour session limit for roles assumed by role"):
            sts.assume_role(**arguments)

    def test_is_allowed_for_the_administrator(self, sandbox: Sandbox) -> None:
        self.target(sandbox, trust("123456789012"))
        sandbox.client("sts").assume_role(RoleArn=self.TARGET, RoleSessionName="admin")


class TestIam:
    def test_a_pod_needs_a_permission(
        self, exchange: Exchange, client_of: Callable[..., Any], sandbox: Sandbox
    ) -> None:
        iam = client_of(exchange(), "iam")
        assert code(iam.list_roles) == "AccessDenied"
        statement = {"Effect": "Allow", "Action": "iam:List*", "Resource": "*"}
        sandbox.client("iam").put_role_policy(
            RoleName="app-role",
            PolicyName="look",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
        )
        assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == ["app-role"]

    def test_a_policy_that_cannot_be_evaluated_is_an_error(
        self, exchange: Exchange, client_of: Callable[..., Any], sandbox: Sandbox
    ) -> None:
        allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        condition = {"Bool": {"aws:MultiFactorAuthPresent": "false"}}
        statement = [allow, allow | {"Effect": "Deny", "Condition": condition}]
        sandbox.client("iam").put_role_policy(
            RoleName="app-role",
            PolicyName="odd",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
        )
        response = exchange()
        assert code(client_of(response, "iam").list_roles) == "NotImplemented"
        assert code(client_of(response).list_objects_v2, Bucket="data") == "NotImplemented"

    def test_fails_with_expired_credentials(
        self, exchange: Exchange, client_of: Callable[..., Any], sandbox: Sandbox
    ) -> None:
        iam = client_of(exchange(), "iam")
        sandbox.expire_credentials()
        assert code(iam.list_roles) == "ExpiredToken"


def test_no_secret_is_in_a_repr(exchange: Exchange, sandbox: Sandbox, pod: Pod) -> None:
    response = exchange()
    identity = next(iter(sandbox._identities._sessions.values()))
    shown = " ".join(map(repr, [identity, *sandbox.sts_calls, sandbox, pod, pod.volume]))
    for secret in (
        response["SecretAccessKey"],
        response["SessionToken"],
        pod.token_file.read_text(),
    ):
        assert secret
        assert secret not in shown
