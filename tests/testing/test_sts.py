from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from testing.sandbox_http import Answer, post

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds.testing import Issuer, Pod, Sandbox
    from testing.sandbox_http import MovableClock

    Exchange = Callable[..., Answer]

NAMESPACE = "{https://sts.amazonaws.com/doc/2011-06-15/}"


def refusal(answer: Answer) -> tuple[int, str | None, str | None]:
    return answer.status, answer["Code"], answer["Message"]


def constraint(value: str, name: str, words: str) -> str:
    return (
        f"1 validation error detected: Value{value} at '{name}' failed to satisfy constraint: "
        f"{words}"
    )


def test_a_good_token_gives_credentials_in_awss_document(
    exchange: Exchange, pod: Pod, clock: MovableClock
) -> None:
    answer = exchange()
    assert answer.status == 200
    assert answer.root.tag == f"{NAMESPACE}AssumeRoleWithWebIdentityResponse"
    assert answer.headers["Content-Type"] == "text/xml"
    assert answer.headers["x-amzn-RequestId"] == answer["RequestId"]
    assert answer["SubjectFromWebIdentityToken"] == "system:serviceaccount:default:app"
    assert answer["Audience"] == "sts.amazonaws.com"
    assert answer["Provider"] == pod.provider_arn
    assert answer["Arn"] == "arn:aws:sts::123456789012:assumed-role/app-role/app-0"
    assert (answer["AssumedRoleId"] or "").endswith(":app-0")
    assert (answer["AccessKeyId"] or "").startswith("ASIA")
    assert len(answer["AccessKeyId"] or "") == 20
    assert len(answer["SecretAccessKey"] or "") == 40
    ends = datetime.strptime(answer["Expiration"] or "", "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert 3590 < ends.timestamp() - clock() <= 3600
    assert "PackedPolicySize" not in answer.names()


def test_a_refusal_comes_in_awss_document(exchange: Exchange) -> None:
    answer = exchange(RoleArn="arn:aws:iam::123456789012:role/nobody")
    assert answer.root.tag == f"{NAMESPACE}ErrorResponse"
    assert [e.tag.removeprefix(NAMESPACE) for e in answer.root] == ["Error", "RequestId"]
    assert answer["Type"] == "Sender"
    assert answer.headers["x-amzn-RequestId"] == answer["RequestId"]


def test_a_rotated_issuer_key_verifies_as_the_old_one_does(
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
        assert refusal(exchange(WebIdentityToken=token)) == expected

    @pytest.mark.parametrize("claims", [{"exp": "soon"}, {"nbf": [1]}])
    def test_must_have_times_that_are_numbers(
        self, exchange: Exchange, pod: Pod, claims: dict[str, Any]
    ) -> None:
        expected = 400, "InvalidIdentityToken", self.NO_JWT
        assert refusal(exchange(WebIdentityToken=pod.token(**claims))) == expected

    def test_must_come_from_an_issuer_that_iam_knows(self, exchange: Exchange, pod: Pod) -> None:
        assert refusal(exchange(WebIdentityToken=pod.token(iss="https://else.example/id"))) == (
            400,
            "InvalidIdentityToken",
            "No OpenIDConnect provider found in your account for https://else.example/id",
        )

    def test_must_come_from_an_issuer_of_the_roles_own_account(
        self, exchange: Exchange, pod: Pod
    ) -> None:
        answer = exchange(RoleArn="arn:aws:iam::222222222222:role/app-role")
        assert (answer["Message"] or "").startswith("No OpenIDConnect provider found")

    def test_must_come_from_an_issuer_whose_keys_can_be_fetched(
        self, exchange: Exchange, sandbox: Sandbox
    ) -> None:
        expected = 400, "InvalidIdentityToken", self.NO_KEY
        sandbox.issuer.reachable = False
        assert refusal(exchange()) == expected
        sandbox.issuer.reachable = True
        assert exchange().status == 200

    def test_must_come_from_an_issuer_that_the_sandbox_serves(
        self, exchange: Exchange, sandbox: Sandbox, issuer: Issuer
    ) -> None:
        sandbox.client("iam").create_open_id_connect_provider(
            Url=issuer.url, ClientIDList=["sts.amazonaws.com"], ThumbprintList=[]
        )
        answer = exchange(WebIdentityToken=issuer.token())
        assert refusal(answer) == (400, "InvalidIdentityToken", self.NO_KEY)

    def test_must_name_a_published_key(self, exchange: Exchange, pod: Pod) -> None:
        answer = exchange(WebIdentityToken=pod.token(header={"kid": "unheard of"}))
        assert refusal(answer) == (400, "InvalidIdentityToken", self.NO_KEY)

    def test_must_be_signed_by_that_key(self, exchange: Exchange, sandbox: Sandbox) -> None:
        assert refusal(exchange(WebIdentityToken=sandbox.issuer.forged_token())) == (
            400,
            "InvalidIdentityToken",
            "The signature of the ID Token is invalid",
        )

    @pytest.mark.parametrize(("algorithm", "key"), [("none", ""), ("HS256", "k" * 64)])
    def test_must_be_signed_by_an_algorithm_of_public_keys(
        self, exchange: Exchange, pod: Pod, sandbox: Sandbox, algorithm: str, key: str
    ) -> None:
        claims = jwt.decode(pod.token(), options={"verify_signature": False})
        token = jwt.encode(claims, key, algorithm, headers={"kid": sandbox.issuer.kid})
        answer = exchange(WebIdentityToken=token)
        assert answer["Message"] == "The signature of the ID Token is invalid"

    @pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "iat"])
    def test_must_have_the_claims_that_aws_requires(
        self, exchange: Exchange, pod: Pod, claim: str
    ) -> None:
        assert refusal(exchange(WebIdentityToken=pod.token(omit=[claim]))) == (
            400,
            "InvalidIdentityToken",
            f"Missing a required claim: {claim}",
        )

    def test_need_not_say_when_it_begins(self, exchange: Exchange, pod: Pod) -> None:
        assert exchange(WebIdentityToken=pod.token(omit=["nbf"])).status == 200

    def test_must_not_be_expired(self, exchange: Exchange, pod: Pod, clock: MovableClock) -> None:
        token = pod.token(issued_at=1000, lifetime=600)
        status, code, message = refusal(exchange(WebIdentityToken=token))
        now = int((message or "").split()[4])
        assert (status, code) == (400, "ExpiredTokenException")
        assert message == (
            f"Token expired: current date/time {now} must be before the expiration date/time 1600"
        )
        assert abs(now - clock()) < 10

    def test_must_have_begun(self, exchange: Exchange, pod: Pod) -> None:
        answer = exchange(WebIdentityToken=pod.token(nbf=4_000_000_000))
        assert refusal(answer) == (
            400,
            "InvalidIdentityToken",
            "Token is not valid before date/time 4000000000",
        )

    @pytest.mark.parametrize("audience", [[], ["other"], "other"])
    def test_must_be_for_a_client_id_of_the_provider(
        self, exchange: Exchange, pod: Pod, audience: Any
    ) -> None:
        expected = 400, "InvalidIdentityToken", "Incorrect token audience"
        assert refusal(exchange(WebIdentityToken=pod.token(aud=audience))) == expected

    def test_may_have_its_audience_as_a_string(self, exchange: Exchange, pod: Pod) -> None:
        assert exchange(WebIdentityToken=pod.token(aud="sts.amazonaws.com")).status == 200


class TestTheRole:
    REFUSED = 403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"

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
        assert refusal(exchange(RoleArn="arn:aws:iam::123456789012:role/nobody")) == self.REFUSED
        assert (
            refusal(exchange(RoleArn="arn:aws:iam::123456789012:role/path/app-role"))
            == self.REFUSED
        )

    def test_may_lie_under_a_path(self, exchange: Exchange, sandbox: Sandbox) -> None:
        iam = sandbox.client("iam")
        document = iam.get_role(RoleName="app-role")["Role"]["AssumeRolePolicyDocument"]
        iam.create_role(
            RoleName="deep", Path="/a/b/", AssumeRolePolicyDocument=json.dumps(document)
        )
        answer = exchange(RoleArn="arn:aws:iam::123456789012:role/a/b/deep")
        assert answer["Arn"] == "arn:aws:sts::123456789012:assumed-role/deep/app-0"

    def test_trusts_only_the_subject_it_names(self, exchange: Exchange, pod: Pod) -> None:
        assert refusal(exchange(WebIdentityToken=pod.token(namespace="kube"))) == self.REFUSED

    def test_is_looked_up_again_for_every_call(
        self, exchange: Exchange, pod: Pod, sandbox: Sandbox
    ) -> None:
        host = sandbox.issuer.url.removeprefix("http://")
        typo = {"StringEquals": {f"{host}:sub": "system:serviceaccount:defualt:app"}}
        self.trust(sandbox, pod, Condition=typo)
        assert refusal(exchange()) == self.REFUSED
        like = {"StringLike": {f"{host}:sub": "system:serviceaccount:*:app"}}
        self.trust(sandbox, pod, Condition=like)
        assert exchange().status == 200

    def test_that_depends_on_what_is_not_known_here_is_an_error_that_names_it(
        self, exchange: Exchange, pod: Pod, sandbox: Sandbox
    ) -> None:
        self.trust(sandbox, pod, Condition={"StringNotLike": {"aws:SourceVpc": "vpc-1"}})
        status, code, message = refusal(answer := exchange())
        assert (status, code) == (501, "NotImplemented")
        assert "statement 1 asks for aws:SourceVpc under StringNotLike" in str(message)
        assert answer["Type"] == "Receiver"
        assert sandbox.sts_calls[-1].outcome == "NotImplemented"

    def test_with_a_policy_that_iam_would_not_take_is_an_error_that_says_why(
        self, exchange: Exchange, pod: Pod, sandbox: Sandbox
    ) -> None:
        self.trust(sandbox, pod, Condition={"NullIfExists": {"aws:SourceVpc": "true"}})
        status, code, message = refusal(exchange())
        assert (status, code) == (501, "NotImplemented")
        assert "the condition operator 'NullIfExists', which IAM does not know" in str(message)

    def test_may_ask_for_the_name_of_the_session(
        self, exchange: Exchange, pod: Pod, sandbox: Sandbox
    ) -> None:
        self.trust(sandbox, pod, Condition={"StringLike": {"sts:RoleSessionName": "app-*"}})
        assert exchange().status == 200
        assert refusal(exchange(RoleSessionName="other")) == self.REFUSED

    def test_must_allow_the_session_tags_of_a_token(
        self, exchange: Exchange, pod: Pod, sandbox: Sandbox
    ) -> None:
        tags = {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["data"]}}}
        token = pod.token(**tags)
        assert refusal(exchange(WebIdentityToken=token)) == self.REFUSED
        self.trust(sandbox, pod, Action=["sts:AssumeRoleWithWebIdentity", "sts:TagSession"])
        assert exchange(WebIdentityToken=token).status == 200

    def test_limits_the_duration(self, exchange: Exchange, sandbox: Sandbox) -> None:
        assert refusal(exchange(DurationSeconds=3601)) == (
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )
        sandbox.client("iam").update_role(RoleName="app-role", MaxSessionDuration=7200)
        assert exchange(DurationSeconds=7200).status == 200

    def test_may_stand_in_another_account(self, sandbox: Sandbox) -> None:
        pod = sandbox.deploy(account_id="222222222222", bucket="elsewhere")
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "RoleArn": pod.role_arn,
            "RoleSessionName": "app-0",
            "WebIdentityToken": pod.token(),
        }
        answer = post(sandbox.sts_url, form)
        assert answer["Arn"] == "arn:aws:sts::222222222222:assumed-role/app-role/app-0"


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
def test_a_bad_parameter_is_a_validation_error_in_awss_words(
    exchange: Exchange, changes: dict[str, Any], message: str
) -> None:
    assert refusal(exchange(**changes)) == (400, "ValidationError", message)


def test_a_duration_must_be_a_number(exchange: Exchange) -> None:
    assert exchange(DurationSeconds="long")["Code"] == "MalformedInput"


@pytest.mark.parametrize("policy", ["{", "[]", "1", "{}"])
def test_a_session_policy_must_be_a_policy(exchange: Exchange, policy: str) -> None:
    expected = 400, "MalformedPolicyDocument", "Syntax errors in policy."
    assert refusal(exchange(Policy=policy)) == expected


def test_an_unknown_action_is_refused(sandbox: Sandbox) -> None:
    answer = post(sandbox.sts_url, {"Action": "GetSessionToken", "Version": "2011-06-15"})
    assert refusal(answer) == (
        400,
        "InvalidAction",
        "Could not find operation GetSessionToken for version 2011-06-15",
    )


class TestSessionPolicies:
    def test_narrow_what_the_role_may_do(
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
        answer = exchange(Policy=only_a)
        assert 0 < int(answer["PackedPolicySize"] or 0) <= 100
        assert sandbox.sts_calls[-1].params["Policy"] == only_a
        s3 = client_of(answer)
        s3.get_object(Bucket="data", Key="a")
        with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
            s3.get_object(Bucket="data", Key="b")

    def test_may_be_managed_ones(
        self, exchange: Exchange, sandbox: Sandbox, client_of: Callable[..., Any]
    ) -> None:
        iam = sandbox.client("iam")
        nothing = {"Effect": "Deny", "Action": "*", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": nothing})
        arn = iam.create_policy(PolicyName="nothing", PolicyDocument=document)["Policy"]["Arn"]
        s3 = client_of(exchange(**{"PolicyArns.member.1.arn": arn}))
        with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
            s3.list_objects_v2(Bucket="data")

    def test_must_exist_where_they_are_managed(self, exchange: Exchange) -> None:
        answer = exchange(**{"PolicyArns.member.1.arn": "arn:aws:iam::123456789012:policy/none"})
        assert refusal(answer)[1:] == (
            "ValidationError",
            "The policy arn:aws:iam::123456789012:policy/none does not exist in the sandbox",
        )
