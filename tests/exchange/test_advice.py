"""What each code of STS means, and the advice and command that a failure gets."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from irsa_creds._exchange.advice import ExchangeRequest
from irsa_creds._exchange.causes import Cause, classify
from irsa_creds._exchange.response import failure_of
from irsa_creds._identity.token import Token
from sts_server import EKS_CLAIMS, EKS_ISSUER, jwt

if TYPE_CHECKING:
    from irsa_creds._errors import Failure

ROLE = "arn:aws:iam::123456789012:role/team/reader"
URL = "https://sts.eu-west-1.amazonaws.com"
NO_PROVIDER = ("InvalidIdentityToken", "No OpenIDConnect provider found in your account for ...")
NO_KEYS = ("InvalidIdentityToken", "Couldn't retrieve verification key from ...")
AUDIENCE = ("InvalidIdentityToken", "Incorrect token audience")
THUMBPRINT = ("InvalidIdentityToken", "doesn't match configured thumbprint")
NOT_VALIDATED = ("InvalidIdentityToken", "The web identity token could not be validated")


def request(
    claims: Any = EKS_CLAIMS,
    *,
    token: str | None = None,
    written: datetime | None = None,
    **facts: Any,
) -> ExchangeRequest:
    """Return a request with a token of these claims."""
    assertion = Token(token or jwt(claims), written)
    return ExchangeRequest(
        **{"role_arn": ROLE, "endpoint": URL, "duration": None, "assertion": assertion, **facts}
    )


def advised(
    code: str,
    words: str = "",
    status: int | None = 400,
    *,
    skew: float | None = None,
    **facts: Any,
) -> Failure:
    """Return a failure of such a request, with its advice and command."""
    sent = request(**facts)
    cause = sent.cause(code, words, status)
    return failure_of(sent, cause, code, "It failed.", words=words, status=status, skew=skew)


def flags(found: Cause) -> tuple[bool, bool, bool, int]:
    return found.retryable, found.throttled, found.bad_token, found.attempts


RETRY = (True, False, False, 0)
DENIED = (False, False, False, 0)
SLOWER = (True, True, False, 0)
NEW_TOKEN = (False, False, True, 0)


@pytest.mark.parametrize(
    ("code", "message", "status", "expected"),
    [
        (*NO_KEYS, 400, RETRY),
        (*NO_PROVIDER, 400, DENIED),
        (*AUDIENCE, 400, DENIED),
        ("InvalidIdentityToken", "The ID Token is not valid", 400, (True, False, True, 3)),
        (*THUMBPRINT, 400, DENIED),
        ("InvalidIdentityToken", "Missing a required claim: sub", 400, NEW_TOKEN),
        ("InvalidIdentityToken", "Missing a required claim: aud", 400, NEW_TOKEN),
        ("InvalidIdentityToken", "Missing a required claim: iat", 400, NEW_TOKEN),
        (*NOT_VALIDATED, 400, NEW_TOKEN),
        ("ExpiredTokenException", "", 400, NEW_TOKEN),
        ("IDPCommunicationError", "", 400, RETRY),
        ("IDPRejectedClaim", "", 403, NEW_TOKEN),
        ("AccessDenied", "", 403, DENIED),
        ("ValidationError", "", 400, DENIED),
        ("InvalidArgument", "", 400, DENIED),
        ("MalformedPolicyDocument", "", 400, DENIED),
        ("PackedPolicyTooLarge", "", 400, DENIED),
        ("RegionDisabledException", "", 403, DENIED),
        ("Throttling", "", 400, SLOWER),
        ("ThrottledSomehow", "", 400, SLOWER),
        ("RequestLimitExceeded", "", 503, SLOWER),
        ("Whatever", "", 429, SLOWER),
        ("InternalFailure", "", 500, RETRY),
        ("HTTP503", "", 503, RETRY),
        ("EndpointConnectionError", "", None, RETRY),
        ("ConnectTimeoutError", "", None, RETRY),
        ("SSLError", "", None, RETRY),
        ("ProxyConnectionError", "", None, RETRY),
        ("SomethingNew", "", None, RETRY),
        ("MalformedAnswer", "", 200, RETRY),
        ("HTTP401", "", 401, DENIED),
        ("SignatureDoesNotMatch", "", 403, DENIED),
        ("SomethingNew", "", 400, (True, False, False, 3)),
        ("UnexpectedRedirect", "", 302, (True, False, False, 3)),
    ],
)
def test_each_code_is_retried_or_not(
    code: str, message: str, status: int | None, expected: tuple[bool, bool, bool, int]
) -> None:
    assert flags(classify(code, message, status)) == expected


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken", "Throttling", "RegionDisabled"])
def test_the_suffix_exception_changes_nothing(code: str) -> None:
    assert classify(code, status=400) is classify(f"{code}Exception", status=400)


# -- commands ----------------------------------------------------------------------------------

EXPLAIN = (
    "aws iam get-role --role-name reader > role.json && irsa-creds explain --policy role.json "
    f"--service-account ns/sa --issuer {EKS_ISSUER} --audience sts.amazonaws.com"
)
ADD = (
    "aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn "
    f"arn:aws:iam::123456789012:oidc-provider/{EKS_ISSUER.removeprefix('https://')} "
    "--client-id sts.amazonaws.com"
)
VALIDATE = (
    "aws accessanalyzer validate-policy --policy-type IDENTITY_POLICY "
    "--policy-document file://policy.json"
)


@pytest.mark.parametrize(
    ("code", "words", "command"),
    [
        ("AccessDenied", "Not authorized", EXPLAIN),
        (
            *NO_PROVIDER,
            (
                "eksctl utils associate-iam-oidc-provider --cluster CLUSTER "
                "--region eu-west-1 --approve"
            ),
        ),
        (*AUDIENCE, ADD),
        (*NO_KEYS, f"curl -sS {EKS_ISSUER}/.well-known/openid-configuration"),
        ("IDPCommunicationError", "", f"curl -sS {EKS_ISSUER}/.well-known/openid-configuration"),
        (
            "ValidationError",
            "",
            "aws iam get-role --role-name reader --query Role.MaxSessionDuration",
        ),
        ("MalformedPolicyDocument", "", VALIDATE),
        ("RegionDisabledException", "", "aws account enable-region --region-name eu-west-1"),
        ("Throttling", "", ""),
        ("ExpiredTokenException", "", ""),
    ],
)
def test_a_failure_has_the_next_command(code: str, words: str, command: str) -> None:
    assert advised(code, words).command == command


def test_a_denied_target_role_is_simulated_with_its_source_role() -> None:
    found = advised("AccessDenied", signer="arn:aws:iam::123456789012:role/first")
    assert found.command == (
        "aws iam simulate-principal-policy --policy-source-arn "
        "arn:aws:iam::123456789012:role/first --action-names sts:AssumeRole "
        f"--resource-arns {ROLE}"
    )


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("AccessDenied", "may not assume the role"),
        ("ExpiredTokenException", "The credentials of the role {} are expired for STS"),
        ("InvalidClientTokenId", "does not know the credentials of the role {}."),
        ("SignatureDoesNotMatch", "The signature by the role {} is not valid for STS"),
        ("IncompleteSignature", "The signature by the role {} is not valid for STS"),
        ("RequestExpired", "The signature by the role {} is not valid for STS"),
        ("ValidationError", "at most one hour in role chaining"),
    ],
)
def test_an_error_of_role_chaining_has_its_own_advice(code: str, advice: str) -> None:
    signer = "arn:aws:iam::123456789012:role/first"
    assert advice.format(signer) in advised(code, signer=signer).advice
    assert advice.format(signer) not in advised(code).advice


def test_an_issuer_other_than_eks_gets_its_provider_from_the_aws_cli() -> None:
    claims = {**EKS_CLAIMS, "iss": "https://issuer.example/a", "aud": "mine"}
    assert advised(*NO_PROVIDER, claims=claims).command == (
        "aws iam create-open-id-connect-provider --url https://issuer.example/a "
        "--client-id-list mine"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"sub": "repo:org/app:ref:refs/heads/main"},
        {"sub": "system:serviceaccount:ns"},
        {"aud": ["one", "two"]},
        {"aud": None},
        {"iss": "https://issuer.example/" + "x" * 300},
        {"iss": "https://me:pw@issuer.example"},
    ],
)
def test_explain_reads_the_token_itself_if_its_claims_are_incomplete(changed: Any) -> None:
    claims, path = {**EKS_CLAIMS, **changed}, "/var/run/secrets/token"
    found = advised("AccessDenied", claims=claims, token_file=path).command
    read = "aws iam get-role --role-name reader > role.json"
    assert found == f"{read} && irsa-creds explain --policy role.json --token {path}"
    found = advised("AccessDenied", claims=claims).command
    assert found == f"{read} && irsa-creds explain --policy role.json --token FILE"


@pytest.mark.parametrize("name", ["a b;reboot", "$(reboot)", "x>y"])
def test_a_role_name_is_one_word_of_the_commands(name: str) -> None:
    role = f"arn:aws:iam::123456789012:role/{name}"
    found = advised("AccessDenied", role_arn=role).command
    assert shlex.split(found)[:6] == ["aws", "iam", "get-role", "--role-name", name, ">"]


def test_an_unknown_value_is_a_word_in_capitals() -> None:
    strange: dict[str, Any] = {"token": "opaque", "role_arn": "strange", "endpoint": "https://a"}
    assert "--client-id AUDIENCE" in advised(*AUDIENCE, **strange).command
    assert "arn:aws:iam::ACCOUNT:oidc-provider/ISSUER" in advised(*AUDIENCE, **strange).command
    assert "--role-name ROLE" in advised("ValidationError", **strange).command
    assert advised("RegionDisabled", **strange).command.endswith("--region-name REGION")


@pytest.mark.parametrize(
    "words", [NO_PROVIDER, AUDIENCE, NO_KEYS, THUMBPRINT, NOT_VALIDATED, ("AccessDenied", "")]
)
def test_a_hostile_claim_does_nothing_in_a_shell(words: tuple[str, str]) -> None:
    evil = "x/$(touch /tmp/owned)`id`'; rm -rf \"\n& {0}{signer}"
    claims = {"iss": f"https://{evil}", "sub": "system:serviceaccount:ns:sa", "aud": evil}
    found = advised(*words, claims=claims).command
    assert "\n" not in found
    # A shell reads it as one word, if it is there.
    assert found.count("touch") == sum("touch" in word for word in shlex.split(found))
    assert found.count("$(touch /tmp/owned)`id`") == sum(
        word == evil.replace("\n", " ") for word in shlex.split(found)
    )


@pytest.mark.parametrize("iss", ["-o/root/.profile", "--output=/x", "file:///etc", "https://-x"])
def test_an_issuer_that_is_not_a_plain_url_is_in_no_command(iss: str) -> None:
    claims = {**EKS_CLAIMS, "iss": iss}
    assert advised(*NO_KEYS, claims=claims).command == ""
    for words in (NO_PROVIDER, AUDIENCE, ("AccessDenied", "")):
        assert iss not in advised(*words, claims=claims).command


def test_an_audience_that_looks_like_an_option_is_in_no_command() -> None:
    claims = {**EKS_CLAIMS, "aud": "--profile=admin", "sub": "repo:org/app"}
    assert "--client-id AUDIENCE" in advised(*AUDIENCE, claims=claims).command


FOREIGN = [
    EKS_ISSUER,
    "https://kubernetes.default.svc",
    "https://kubernetes.default.svc.cluster.local",
    "k3s",
    "pods.eks.amazonaws.com",
    ["https://kubernetes.default.svc", "vault"],
]


@pytest.mark.parametrize("aud", FOREIGN)
def test_an_audience_of_every_pod_is_never_added_to_the_oidc_provider(aud: Any) -> None:
    claims = {**EKS_CLAIMS, "aud": aud}
    found = advised(*AUDIENCE, claims=claims)
    assert found.command == (f"irsa-creds manifest --service-account ns/sa --role-arn {ROLE}")
    assert "must not be added" in found.advice
    unknown = advised(*AUDIENCE, claims={**claims, "sub": "repo:org/app"})
    assert unknown.command == ""
    elsewhere = {**claims, "iss": "https://issuer.example"}
    if aud == EKS_ISSUER:
        elsewhere["aud"] = "https://issuer.example"
    made = advised(*NO_PROVIDER, claims=elsewhere).command
    assert made.endswith("--client-id-list sts.amazonaws.com")


@pytest.mark.parametrize("aud", ["vault", ["vault", "my-company"], ["vault", "amazonaws.com"]])
def test_the_audience_of_another_system_is_not_added_to_the_oidc_provider(aud: Any) -> None:
    found = advised(*AUDIENCE, claims={**EKS_CLAIMS, "aud": aud})
    assert found.command == f"irsa-creds manifest --service-account ns/sa --role-arn {ROLE}"
    assert "OIDC provider. Mount a token for sts.amazonaws.com (" in found.advice
    assert "add-client-id-to-open-id-connect-provider" in found.advice


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "vault", "sub": "repo:org/app"},
        {"aud": ["sts.amazonaws.com"]},
        {"aud": "amazonaws.com"},
        {"aud": "openshift"},
    ],
)
def test_an_audience_that_may_be_a_client_id_is_added_to_the_oidc_provider(
    changed: dict[str, Any],
) -> None:
    found = advised(*AUDIENCE, claims={**EKS_CLAIMS, **changed})
    assert "add-client-id-to-open-id-connect-provider" in found.command


def test_a_proxy_failure_says_that_sts_was_not_called() -> None:
    found = advised("ProxyConnectionError", status=None).advice
    assert "STS was not called" in found


def test_the_audience_of_sts_is_added_to_the_oidc_provider() -> None:
    found = advised(*AUDIENCE)
    assert found.command.endswith("--client-id sts.amazonaws.com")
    assert "OIDC provider. Add it there." in found.advice


# -- advice --------------------------------------------------------------------------------------


def test_access_denied_points_to_the_trust_policy_and_to_explain() -> None:
    found = advised("AccessDenied").advice
    assert "The role's trust policy probably does not match system:serviceaccount:ns:sa." in found
    assert "`irsa-creds explain`" in found


def test_a_missing_provider_names_the_roles_account() -> None:
    assert "The role's account 123456789012 has no IAM OIDC" in advised(*NO_PROVIDER).advice
    ceph = "arn:aws:iam:::role/X"
    assert "The role's account has no IAM OIDC" in advised(*NO_PROVIDER, role_arn=ceph).advice


@pytest.mark.parametrize(
    ("changed", "clue"),
    [
        ({"sub": "system:serviceaccount:ns:default"}, "runs as the service account 'default'"),
        ({"aud": ["pods.eks.amazonaws.com"]}, "It is a token of EKS Pod Identity"),
    ],
)
@pytest.mark.parametrize("words", [AUDIENCE, ("AccessDenied", "")])
def test_an_unusual_token_is_described(
    words: tuple[str, str], changed: dict[str, Any], clue: str
) -> None:
    assert clue in advised(*words, claims={**EKS_CLAIMS, **changed}).advice
    assert clue not in advised(*words).advice


def test_a_truncated_token_shows_only_its_shape() -> None:
    found = advised("InvalidIdentityToken", "not valid").advice
    assert Token(jwt(EKS_CLAIMS)).shape() in found
    assert "system:serviceaccount" not in found


def test_an_expired_token_shows_its_file_and_the_skew() -> None:
    written = datetime(2026, 1, 5, 7, tzinfo=UTC)
    found = advised("ExpiredTokenException", written=written, skew=-61.2).advice
    assert "its file was written at 2026-01-05T07:00:00Z" in found
    assert "STS's clock is 61 s behind this machine's" in found


def test_a_validation_error_shows_duration_and_role() -> None:
    found = advised("ValidationError", duration=43_200).advice
    assert "43200 s" in found
    assert ROLE in found
    assert "STS's default" in advised("ValidationError").advice


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("Throttling", 400),
        ("HTTP500", 500),
        ("EndpointConnectionError", None),
        ("ConnectTimeoutError", None),
        ("ReadTimeoutError", None),
        ("SSLError", None),
        ("ProxyConnectionError", None),
        ("MalformedAnswer", 200),
        ("RegionDisabledException", 403),
        ("HTTP403", 403),
        ("HTTP404", 404),
    ],
)
def test_advice_about_an_endpoint_names_it(code: str, status: int | None) -> None:
    assert URL in advised(code, status=status).advice


def test_an_opaque_token_has_no_claims_to_show() -> None:
    assert "The token is not a JWT" in advised("AccessDenied", token="opaque").advice


@pytest.mark.parametrize(
    ("skew", "expected"),
    [(3.0, ""), (-4.9, ""), (7200.0, "7,200 s ahead of"), (-28_009_778.0, "28,009,778 s behind")],
)
def test_a_small_skew_is_left_out(skew: float, expected: str) -> None:
    text = advised("ExpiredToken", skew=skew).advice
    assert ("STS's clock" in text) is bool(expected)
    assert expected in text
