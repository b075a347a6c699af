from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from testing.sandbox_http import Response, post

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds.testing import Issuer, Pod, Sandbox
    from testing.sandbox_http import MovableClock

    Exchange = Callable[..., Response]

NAMESPACE = "{https://sts.amazonaws.com/doc/2011-06-15/}"


def error_of(response: Response) -> tuple[int, str | None, str | None]:
    return response.status, response["Code"], response["Message"]


def constraint(value: str, name: str, words: str) -> str:
    return (
        f"1 validation error detected: Value{value} at '{name}' failed to satisfy constraint: "
        f"{words}"
    )


def test_a_valid_token_returns_credentials_in_awss_xml(
    exchange: Exchange, pod: Pod, clock: MovableClock
) -> None:
    response = exchange()
    assert response.status == 200
    assert response.root.tag == f"{NAMESPACE}AssumeRoleWithWebIdentityResponse"
    assert response.headers["Content-Type"] == "text/xml"
    assert response.headers["x-amzn-RequestId"] == response["RequestId"]
    assert response["SubjectFromWebIdentityToken"] == "system:serviceaccount:default:app"
    assert response["Audience"] == "sts.amazonaws.com"
    assert response["Provider"] == pod.provider_arn
    assert response["Arn"] == "arn:aws:sts::123456789012:assumed-role/app-role/app-0"
    assert (response["AssumedRoleId"] or "").endswith(":app-0")
    assert (response["AccessKeyId"] or "").startswith("ASIA")
    assert len(response["AccessKeyId"] or "") == 20
    assert len(response["SecretAccessKey"] or "") == 40
    ends = datetime.strptime(response["Expiration"] or "", "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert 3590 < ends.timestamp() - clock() <= 3600
    assert "PackedPolicySize" not in response.names()


def test_an_error_is_returned_in_awss_xml(exchange: Exchange) -> None:
    response = exchange(RoleArn="arn:aws:iam::123456789012:role/missing")
    assert response.root.tag == f"{NAMESPACE}ErrorResponse"
    assert [e.tag.removeprefix(NAMESPACE) for e in response.root] == ["Error", "RequestId"]
    assert response["Type"] == "Sender"
    assert response.headers["x-amzn-RequestId"] == response["RequestId"]


def test_the_old_and_the_new_key_of_the_issuer_verify(
    exchange: Exchange, pod: Pod, sandbox: Sandbox
) -> None:
    sandbox.issuer.rotate()
    assert exchange().status == 200
    pod.rotate_token()
    assert exchange().status == 200
    sandbox.issuer.rotate(keep_old=False)
    assert exchange()["Code"] == "InvalidIdentityToken"


class TestTheToken:
    NO_KEY = (
        "Couldn't retrieve verification key from your identity provider,  please reference "
        "AssumeRoleWithWebIdentity documentation for requirements"
    )
    NO_JWT = (
        "The ID Token provided is not a valid JWT. "
        "(You may see this error if you sent an Access Token)"
    )

    @pytest.mark.parametrize("token", ["opaque", "a.b.c", "eyJhbGciOiJSUzI1NiJ9.e30"])
    def test_must_be_a_jwt(self, exchange: Exchange, token: str) -> None:
        expected = 400, "InvalidIdentityToken", self.NO_JWT
        assert error_of(exchange(WebIdentityToken=token)) == expected

    @pytest.mark.parametrize("claims", [{"exp": "soon"}, {"nbf": [1]}])
    def test_must_have_times_that_are_numbers(
        self, exchange: Exchange, pod: Pod, claims: dict[str, Any]
    ) -> None:
        expected = 400, "InvalidIdentityToken", self.NO_JWT
        assert error_of(exchange(WebIdentityToken=pod.token(**claims))) == expected

    def test_must_have_an_issuer_with_an_oidc_provider(self, exchange: Exchange, pod: Pod) -> None:
        assert error_of(exchange(WebIdentityToken=pod.token(iss="https://else.example/id"))) == (
            400,
            "InvalidIdentityToken",
            "No OpenIDConnect provider found in your account for https://else.example/id",
        )

    def test_must_have_an_issuer_of_the_roles_account(self, exchange: Exchange, pod: Pod) -> None:
        response = exchange(RoleArn="arn:aws:iam::222222222222:role/app-role")
        assert (response["Message"] or "").startswith("No OpenIDConnect provider found")

    def test_must_have_an_issuer_with_reachable_keys(
        self, exchange: Exchange, sandbox: Sandbox
    ) -> None:
        expected = 400, "InvalidIdentityToken", self.NO_KEY
        sandbox.issuer.reachable = False
        assert error_of(exchange()) == expected
        sandbox.issuer.reachable = True
        assert exchange().status == 200

    def test_must_have_an_issuer_that_the_sandbox_serves(
        self, exchange: Exchange, sandbox: Sandbox, issuer: Issuer
    ) -> None:
        sandbox.client("iam").create_open_id_connect_provider(
            Url=issuer.url, ClientIDList=["sts.amazonaws.com"], ThumbprintList=[]
        )
        response = exchange(WebIdentityToken=issuer.token())
        assert error_of(response) == (400, "InvalidIdentityToken", self.NO_KEY)

    def test_must_name_a_published_key(self, exchange: Exchange, pod: Pod) -> None:
        response = exchange(WebIdentityToken=pod.token(header={"kid": "unheard of"}))
        assert error_of(response) == (400, "InvalidIdentityToken", self.NO_KEY)

    def test_must_be_signed_by_that_key(self, exchange: Exchange, sandbox: Sandbox) -> None:
        assert error_of(exchange(WebIdentityToken=sandbox.issuer.forged_token())) == (
            400,
            "InvalidIdentityToken",
            "The signature of the ID Token is invalid",
        )

    @pytest.mark.parametrize(("algorithm", "key"), [("none", ""), ("HS256", "k" * 64)])
    def test_must_be_signed_with_a_public_key_algorithm(
        self, exchange: Exchange, pod: Pod, sandbox: Sandbox, algorithm: str, key: str
    ) -> None:
        claims = jwt.decode(pod.token(), options={"verify_signature": False})
        token = jwt.encode(claims, key, algorithm, headers={"kid": sandbox.issuer.kid})
        response = exchange(WebIdentityToken=token)
        assert response["Message"] == "The signature of the ID Token is invalid"

    @pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "iat"])
    def test_must_have_the_claims_that_aws_requires(
        self, exchange: Exchange, pod: Pod, claim: str
    ) -> None:
        assert error_of(exchange(WebIdentityToken=pod.token(omit=[claim]))) == (
            400,
            "InvalidIdentityToken",
            f"Missing a required claim: {claim}",
        )

    def test_needs_no_nbf(self, exchange: Exchange, pod: Pod) -> None:
        assert exchange(WebIdentityToken=pod.token(omit=["nbf"])).status == 200

    def test_must_not_be_expired(self, exchange: Exchange, pod: Pod, clock: MovableClock) -> None:
        token = pod.token(issued_at=1000, lifetime=600)
        status, code, message = error_of(exchange(WebIdentityToken=token))
        now = int((message or "").split()[4])
        assert (status, code) == (400, "ExpiredTokenException")
        assert message == (
            f"Token expired: current date/time {now} must be before the expiration date/time 1600"
        )
        assert abs(now - clock()) < 10

    def test_must_be_valid_already(self, exchange: Exchange, pod: Pod) -> None:
        response = exchange(WebIdentityToken=pod.token(nbf=4_000_000_000))
        assert error_of(response) == (
            400,
            "InvalidIdentityToken",
            "Token is not valid before date/time 4000000000",
        )

    @pytest.mark.parametrize("audience", [[], ["other"], "other"])
    def test_must_be_for_a_client_id_of_the_provider(
        self, exchange: Exchange, pod: Pod, audience: Any
    ) -> None:
        expected = 400, "InvalidIdentityToken", "Incorrect token audience"
        assert error_of(exchange(WebIdentityToken=pod.token(aud=audience))) == expected

    def test_can_have_its_audience_as_a_string(self, exchange: Exchange, pod: Pod) -> None:
        assert exchange(WebIdentityToken=pod.token(aud="sts.amazonaws.com")).status == 200


class TestTheRole:
    DENIED = 403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"

    def trust(self, sandbox: Sandbox, pod: Pod, **changes: Any) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": pod.provider_arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
        } | changes
        sandbox.client("iam").update_assume_role_policy(
            RoleName="app-role",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )

    def test_must_exist(self, exchange: Exchange) -> None:
        assert error_of(exchange(RoleArn="arn:aws:iam::123456789012:role/missing")) == self.DENIED
        assert (
            error_of(exchange(RoleArn="arn:aws:iam::123456789012:role/path/app-role"))
            == self.DENIED
        )

    def test_can_have_a_path(self, exchange: Exchange, sandbox: Sandbox) -> None:
        iam = sandbox.client("iam")
        document = iam.get_role(RoleName="app-role")["Role"]["AssumeRolePolicyDocument"]
        iam.create_role(
            RoleName="deep", Path="/a/b/", AssumeRolePolicyDocument=json.dumps(document)
        )
        response = exchange(RoleArn="arn:aws:iam::123456789012:role/a/b/deep")
        assert response["Arn"] == "arn:aws:sts::123456789012:assumed-role/deep/app-0"

    def test_trusts_only_the_named_subject(self, exchange: Exchange, pod: Pod) -> None:
        assert error_of(exchange(WebIdentityToken=pod.token(namespace="kube"))) == self.DENIED

    def test_is_read_for_every_call(self, exchange: Exchange, pod: Pod, sandbox: Sandbox) -> None:
        host = sandbox.issuer.url.removeprefix("http://")
        typo = {"StringEquals": {f"{host}:sub": "system:serviceaccount:defualt:app"}}
        self.trust(sandbox, pod, Condition=typo)
        assert error_of(exchange()) == self.DENIED
        like = {"StringLike": {f"{host}:sub": "system:serviceaccount:*:app"}}
        self.trust(sandbox, pod, Condition=like)
        assert exchange().status == 200

    def test_with_a_condition_that_cannot_be_evaluated_is_an_error(
        self, exchange: Exchange, pod: Pod, sandbox: Sandbox
    ) -> None:
        self.trust(sandbox, pod, Condition={"StringNotLike": {"aws:SourceVpc": "vpc-1"}})
        status, code, message = error_of(response := exchange())
        assert (status, code) == (501, "NotImplemented")
        assert "statement 1 tests aws:SourceVpc with StringNotLike" in str(message)
        assert response["Type"] == "Receiver"
        assert sandbox.sts_calls[-1].outcome == "NotImplemented"

    def test_with_an_invalid_policy_is_an_error_with_the_reason(
        self, exchange: Exchange, pod: Pod, sandbox: Sandbox
    ) -> None:
        self.trust(sandbox, pod, Condition={"NullIfExists": {"aws:SourceVpc": "true"}})
        status, code, message = error_of(exchange())
        assert (status, code) == (501, "NotImplemented")
        assert "the condition operator 'NullIfExists', which IAM does not have" in str(message)

    def test_can_require_a_session_name(
        self, exchange: Exchange, pod: Pod, sandbox: Sandbox
    ) -> None:
        self.trust(sandbox, pod, Condition={"StringLike": {"sts:RoleSessionName": "app-*"}})
        assert exchange().status == 200
        assert error_of(exchange(RoleSessionName="other")) == self.DENIED

    def test_must_allow_the_session_tags_of_a_token(
        self, exchange: Exchange, pod: Pod, sandbox: Sandbox
    ) -> None:
        tags = {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["data"]}}}
        token = pod.token(**tags)
        assert error_of(exchange(WebIdentityToken=token)) == self.DENIED
        self.trust(sandbox, pod, Action=["sts:AssumeRoleWithWebIdentity", "sts:TagSession"])
        assert exchange(WebIdentityToken=token).status == 200

    def test_limits_the_duration(self, exchange: Exchange, sandbox: Sandbox) -> None:
        assert error_of(exchange(DurationSeconds=3601)) == (
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )
        sandbox.client("iam").update_role(RoleName="app-role", MaxSessionDuration=7200)
        assert exchange(DurationSeconds=7200).status == 200

    def test_can_be_in_another_account(self, sandbox: Sandbox) -> None:
        pod = sandbox.deploy(account_id="222222222222", bucket="elsewhere")
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "RoleArn": pod.role_arn,
            "RoleSessionName": "app-0",
            "WebIdentityToken": pod.token(),
        }
        response = post(sandbox.sts_url, form)
        assert response["Arn"] == "arn:aws:sts::222222222222:assumed-role/app-role/app-0"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"RoleArn": None}, constraint(" null", "roleArn", "Member must not be null")),
        (
            {"WebIdentityToken": None},
            constraint(" null", "webIdentityToken", "Member must not be null"),
        ),
        (
            {"RoleSessionName": None},
            constraint(" null", "roleSessionName", "Member must not be null"),
        ),
        (
            {"RoleArn": "arn:aws:iam"},
            constraint(
                " 'arn:aws:iam'", "roleArn", "Member must have length greater than or equal to 20"
            ),
        ),
        ({"RoleArn": "arn:aws:iam::123456789012:policy/x"}, "Request ARN is invalid"),
        ({"RoleArn": "arn:aws:iam::1234567890123:role/x"}, "Request ARN is invalid"),
        ({"RoleArn": "arn:aws:sts::123456789012:assumed-role/x/y"}, "Request ARN is invalid"),
        (
            {"RoleSessionName": "my session"},
            constraint(
                " 'my session'",
                "roleSessionName",
                r"Member must satisfy regular expression pattern: [\w+=,.@-]*",
            ),
        ),
        (
            {"RoleSessionName": "x" * 65},
            constraint(
                f" '{'x' * 65}'",
                "roleSessionName",
                "Member must have length less than or equal to 64",
            ),
        ),
        (
            {"WebIdentityToken": "x" * 20_001},
            constraint(
                "", "webIdentityToken", "Member must have length less than or equal to 20000"
            ),
        ),
        (
            {"DurationSeconds": 899},
            constraint(
                " '899'", "durationSeconds", "Member must have value greater than or equal to 900"
            ),
        ),
        (
            {"DurationSeconds": 43_201},
            constraint(
                " '43201'", "durationSeconds", "Member must have value less than or equal to 43200"
            ),
        ),
        (
            {"Policy": "x" * 2049},
            constraint("", "policy", "Member must have length less than or equal to 2048"),
        ),
        (
            {f"PolicyArns.member.{n}.arn": "x" for n in range(11)},
            constraint("", "policyArns", "Member must have length less than or equal to 10"),
        ),
    ],
)
def test_an_invalid_parameter_is_awss_validation_error(
    exchange: Exchange, changes: dict[str, Any], message: str
) -> None:
    assert error_of(exchange(**changes)) == (400, "ValidationError", message)


def test_a_duration_must_be_a_number(exchange: Exchange) -> None:
    assert exchange(DurationSeconds="long")["Code"] == "MalformedInput"


@pytest.mark.parametrize("policy", ["{", "[]", "1", "{}"])
def test_a_session_policy_must_be_a_policy(exchange: Exchange, policy: str) -> None:
    expected = 400, "MalformedPolicyDocument", "Syntax errors in policy."
    assert error_of(exchange(Policy=policy)) == expected


def test_an_unknown_action_is_an_error(sandbox: Sandbox) -> None:
    response = post(sandbox.sts_url, {"Action": "GetSessionToken", "Version": "2011-06-15"})
    assert error_of(response) == (
        400,
        "InvalidAction",
        "Could not find operation GetSessionToken for version 2011-06-15",
    )


class TestSessionPolicies:
    def test_restrict_the_roles_permissions(
        self, exchange: Exchange, sandbox: Sandbox, client_of: Callable[..., Any]
    ) -> None:
        only_a = json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Allow",
                    "Action": "s3:GetObject",
                    "Resource": "arn:aws:s3:::data/a*",
                },
            }
        )
        for key in "ab":
            sandbox.client("s3").put_object(Bucket="data", Key=key, Body=b"")
        response = exchange(Policy=only_a)
        assert 0 < int(response["PackedPolicySize"] or 0) <= 100
        assert sandbox.sts_calls[-1].params["Policy"] == only_a
        s3 = client_of(response)
        s3.get_object(Bucket="data", Key="a")
        with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
            s3.get_object(Bucket="data", Key="b")

    def test_can_be_managed_policies(
        self, exchange: Exchange, sandbox: Sandbox, client_of: Callable[..., Any]
    ) -> None:
        iam = sandbox.client("iam")
        nothing = {"Effect": "Deny", "Action": "*", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": nothing})
        arn = iam.create_policy(PolicyName="nothing", PolicyDocument=document)["Policy"]["Arn"]
        s3 = client_of(exchange(**{"PolicyArns.member.1.arn": arn}))
        with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
            s3.list_objects_v2(Bucket="data")

    def test_must_exist_if_they_are_managed(self, exchange: Exchange) -> None:
        response = exchange(**{"PolicyArns.member.1.arn": "arn:aws:iam::123456789012:policy/none"})
        assert error_of(response)[1:] == (
            "ValidationError",
            "The policy arn:aws:iam::123456789012:policy/none does not exist in the sandbox",
        )
