"""The credentials of a container credentials endpoint, through the public face."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.credentials import ContainerProvider
from botocore.exceptions import ClientError, CredentialRetrievalError, EndpointConnectionError

import irsa_creds
from engine_fakes import FakeClock, eventually, high, join_refreshes
from irsa_creds._engine.refresh import Refresh
from irsa_creds._engine.snapshot import Snapshot
from irsa_creds._errors import Failure
from irsa_creds._exchange.container_response import MalformedError, credentials_in, error_in
from irsa_creds._exchange.http import BODY_LIMIT
from irsa_creds._provider import REGISTRY
from irsa_creds._registry import engine_of
from sts_server import SECRET_KEY, SESSION_TOKEN, StsServer, disconnect, http, jwt, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOUR = 3600.0
AGENT = "The EKS Pod Identity Agent"
LATER = "2099-12-31T00:00:00.123456789+02:00"
CLAIMS = {"sub": "system:serviceaccount:shop:reports", "aud": ["pods.eks.amazonaws.com"]}
KEYS = {"AccessKeyId": "ASIAAGENT", "SecretAccessKey": SECRET_KEY, "Token": SESSION_TOKEN}


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def answer(**fields: Any) -> bytes:
    """Return a success; None removes a field."""
    given = {**KEYS, "AccountId": "123456789012", "Expiration": in_seconds(6 * HOUR), **fields}
    return http(json.dumps({k: v for k, v in given.items() if v is not None}))


def error_response(status: str, code: str, words: str) -> bytes:
    """Return an error of EKS Auth, as the agent words it."""
    return http(f"[7f1b3e6a-0001]: ({code}): {words}, fault: client\n", status)


@pytest.fixture
def agent() -> Iterator[StsServer]:
    with StsServer([send(answer())]) as opened:
        yield opened
    join_refreshes()


@pytest.fixture(autouse=True)
def token_file(agent: StsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pod with Pod Identity."""
    path = tmp_path / "token"
    path.write_text(jwt(CLAIMS))
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{agent.url}/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(path))
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    return path


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock of all providers."""
    made = FakeClock()
    made.step_wall(datetime.now(UTC).timestamp() - made.wall())
    monkeypatch.setattr(REGISTRY, "_clock", made)
    return made


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes the profile that the environment names."""

    def write(keys: str) -> None:
        (tmp_path / "config").write_text(f"[profile named]\n{keys}\n")

    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "named")
    return write


@pytest.fixture
def _one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irsa_creds._engine.timing.BLOCKING_ATTEMPTS", 1)


def failure_of(script: bytes, agent: StsServer) -> irsa_creds.ExchangeError:
    agent.script[:] = [send(script)]
    with pytest.raises(irsa_creds.ExchangeError) as caught:
        irsa_creds.provider().get()
    return caught.value


# -- the request and its response ------------------------------------------------------------------


def test_a_get_with_the_token_of_the_file_returns_the_credentials(agent: StsServer) -> None:
    credentials = irsa_creds.provider().get()
    assert credentials.access_key_id == "ASIAAGENT"
    assert credentials.secret_access_key == SECRET_KEY
    assert credentials.session_token == SESSION_TOKEN
    assert credentials.account_id == "123456789012"
    (request,) = agent.seen
    assert request.line == "GET /v1/credentials HTTP/1.1"
    assert request.headers["authorization"] == jwt(CLAIMS)
    assert request.headers["accept"] == "application/json"
    assert request.body == ""


def test_the_token_is_read_for_every_attempt_and_its_rotation_is_an_event(
    agent: StsServer, token_file: Path
) -> None:
    provider = irsa_creds.provider()
    events: list[irsa_creds.Event] = []
    provider.subscribe(events.append)
    provider.get()
    token_file.write_text(jwt({**CLAIMS, "jti": "2"}))
    provider.invalidate()
    provider.get()
    assert agent.seen[1].headers["authorization"] == jwt({**CLAIMS, "jti": "2"})
    join_refreshes()
    assert irsa_creds.TokenRotated in map(type, events)
    assert provider.status().sts_calls == 2


def test_a_token_of_the_environment_is_sent_and_none_is_no_header(
    agent: StsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    irsa_creds.provider().get()
    assert "authorization" not in agent.seen[0].headers
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer abc")
    irsa_creds.provider().get()
    assert agent.seen[1].headers["authorization"] == "Bearer abc"


def test_a_forked_child_counts_its_own_requests() -> None:
    provider = irsa_creds.provider()
    provider.get()
    engine_of(provider).reset_after_fork()
    assert provider.status().sts_calls == 0


def test_no_proxy_is_ever_used(agent: StsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with StsServer([disconnect]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        irsa_creds.provider().get()
        assert not proxy.connections
    assert len(agent.seen) == 1


@pytest.mark.usefixtures("_one_attempt")
def test_a_redirect_is_not_followed(agent: StsServer) -> None:
    with StsServer([send(answer())]) as other:
        error = failure_of(http("", "302 Found", Location=other.url), agent)
        assert not other.seen
    assert error.code == "HTTP302"
    assert "does not follow redirects" in str(error)


@pytest.mark.parametrize(
    ("body", "defect"),
    [
        (b"<html>", "is not a JSON object"),
        (b"[]", "is not a JSON object"),
        (b"[" * 100_000, "is not a JSON object"),
        (b"\xff\xfe", "is not a JSON object"),
        (json.dumps({"AccessKeyId": "A"}).encode(), "lacks SecretAccessKey, Token"),
        (json.dumps({**KEYS, "Token": 1}).encode(), "has no printable text in"),
        (json.dumps({**KEYS, "Token": "a\nb"}).encode(), "has no printable text in"),
        (json.dumps({**KEYS, "Expiration": "soon"}).encode(), "has an Expiration that is not a"),
        (json.dumps({**KEYS, "Expiration": 1}).encode(), "has an Expiration that is not a date"),
        (b" " * 2000, "is longer than 1 MiB"),
    ],
)
def test_a_response_without_credentials_says_what_is_wrong_with_it(
    body: bytes, defect: str
) -> None:
    with pytest.raises(MalformedError, match=defect):
        credentials_in(body, 1000 if "longer" in defect else 200_000)


@pytest.mark.usefixtures("_one_attempt")
def test_a_malformed_response_is_an_error_with_advice(agent: StsServer) -> None:
    error = failure_of(http("<html>"), agent)
    assert error.code == "MalformedAnswer"
    assert str(error).startswith(
        "The EKS Pod Identity Agent returned an invalid response (MalformedAnswer): it is not"
    )
    assert "is a container credentials endpoint" in error.advice


# -- how long they last ----------------------------------------------------------------------------


def test_the_refresh_time_follows_from_the_lifetime_that_is_left(
    agent: StsServer, clock: FakeClock
) -> None:
    agent.script[:] = [send(answer(Expiration=in_seconds(600)))]
    provider = irsa_creds.provider()
    provider.get()
    snapshot = engine_of(provider).snapshot
    assert snapshot.lifetime == pytest.approx(600, abs=5)
    assert 50 < snapshot.refresh_at - clock.now() <= 300


def test_an_agent_that_repeats_its_key_is_not_called_at_every_read(
    agent: StsServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_BACKGROUND", "0")
    agent.script[:] = [send(answer(Expiration=in_seconds(600)))]
    provider = irsa_creds.provider()
    provider.get()
    for _ in range(590):
        clock.advance(1)
        assert provider.get().access_key_id == "ASIAAGENT"
        join_refreshes()
    assert provider.status().last_failure is None
    # Half of what is left, each time.
    assert 5 < len(agent.seen) <= 15


@pytest.mark.parametrize("expiration", [None, "", "9999-12-31T23:59:59Z", LATER])
def test_credentials_without_an_end_are_looked_at_once_an_hour(
    agent: StsServer, clock: FakeClock, expiration: str | None
) -> None:
    agent.script[:] = [send(answer(Expiration=expiration))]
    clock.uniform = high
    provider = irsa_creds.provider()
    provider.get()
    refresh_at = engine_of(provider).snapshot.refresh_at
    assert 0 < refresh_at - clock.now() <= HOUR
    clock.advance(HOUR)
    provider.get()
    eventually(lambda: len(agent.seen) == 2)


def test_credentials_of_a_session_follow_their_expiration_alone(agent: StsServer) -> None:
    provider = irsa_creds.provider()
    provider.get()
    assert engine_of(provider).snapshot.longest_age == float("inf")


@pytest.mark.usefixtures("_one_attempt")
def test_expired_credentials_are_a_failure(agent: StsServer) -> None:
    error = failure_of(answer(Expiration=in_seconds(-60)), agent)
    assert error.code == "ExpiredCredentials"
    assert error.retryable


def test_without_time_left_nothing_is_sent(agent: StsServer, token_file: Path) -> None:
    fetcher = engine_of(irsa_creds.provider()).fetcher
    token_file.write_text(jwt(CLAIMS))
    refresh = Refresh(blocking=True, created_at=0, seconds=0)
    refresh.claim(0)
    failure = fetcher.fetch(refresh, Snapshot.nothing())
    assert isinstance(failure, Failure)
    assert failure.code == "RefreshTimeout"
    assert not agent.seen


def test_a_url_that_outlasts_the_credentials_warns_of_the_endpoint_that_chose_their_lifetime(
    agent: StsServer, caplog: pytest.LogCaptureFixture
) -> None:
    agent.script[:] = [send(answer(Expiration=in_seconds(1500)))]
    s3 = irsa_creds.boto3_session().client("s3")
    s3.generate_presigned_url("list_buckets", ExpiresIn=3600)
    (warning,) = [each.getMessage() for each in caplog.records if each.name == "irsa_creds"]
    assert warning.startswith("A presigned URL for 3600 s ends in 1")
    assert "The endpoint chose how long they last" in warning
    assert "duration_seconds" not in warning
    assert len(warning) <= 300


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_one_attempt")
@pytest.mark.parametrize(
    ("script", "headline", "advice"),
    [
        (
            error_response("404 Not Found", "ResourceNotFoundException", "No association found"),
            (f"{AGENT} denied the credentials (ResourceNotFoundException): No association found."),
            "The cluster has no Pod Identity association for shop/reports.",
        ),
        (
            error_response("400 Bad Request", "AccessDeniedException", "Unauthorized Exception!"),
            (f"{AGENT} denied the credentials (AccessDeniedException): Unauthorized Exception!."),
            "EKS may not assume the role of the Pod Identity association.",
        ),
        (
            error_response("400 Bad Request", "ExpiredTokenException", "Token is expired"),
            (f"{AGENT} denied the credentials (ExpiredTokenException): Token is expired."),
            "The authorization token is expired or not valid.",
        ),
        (
            http("Service account token cannot be parsed\n", "400 Bad Request"),
            (f"{AGENT} denied the credentials (HTTP400): Service account token cannot be parsed."),
            "The authorization token is expired or not valid.",
        ),
        (
            http("Access Denied. Called agent through invalid address", "403 Forbidden"),
            (
                f"{AGENT} denied the credentials (HTTP403): Access Denied. Called "
                "agent through invalid address."
            ),
            "Check that ",
        ),
        (
            http("Too Many Requests", "429 Too Many Requests"),
            f"{AGENT} throttled the request (HTTP429): Too Many Requests.",
            f"{AGENT} received too many calls.",
        ),
        (
            http("", "500 Internal Server Error"),
            f"{AGENT} failed (HTTP500).",
            f"{AGENT} has no credentials at the moment.",
        ),
        (
            http('{"code": "InvalidId", "message": "unknown", "x": 1}', "400 Bad Request"),
            f"{AGENT} denied the credentials (InvalidId): unknown.",
            "The authorization token is expired or not valid.",
        ),
        (
            http('{"code": 1, "message": []}', "403 Forbidden"),
            f"{AGENT} denied the credentials (HTTP403).",
            "Check that ",
        ),
    ],
)
def test_an_error_says_what_happened_and_what_to_do(
    agent: StsServer, script: bytes, headline: str, advice: str
) -> None:
    error = failure_of(script, agent)
    assert str(error).splitlines()[0] == headline
    assert error.advice.startswith(advice)
    assert error.sub == CLAIMS["sub"]
    assert error.role_arn is None
    assert "STS" not in str(error)


@pytest.mark.parametrize("filling", [" ", ", fault: a", "[", "\n", "a"])
def test_the_time_for_an_error_grows_no_faster_than_its_length(filling: str) -> None:
    # With a search that is quadratic, the longest body takes an hour, and no thread runs meanwhile.
    body = f"[a]: (b): {filling * (BODY_LIMIT // len(filling))}!".encode()
    code, words, request_id = error_in(body)
    assert (code, words[-1], request_id) == ("b", "!", "a")


@pytest.mark.usefixtures("_one_attempt")
def test_a_missing_association_comes_with_the_command_that_creates_it(agent: StsServer) -> None:
    error = failure_of(error_response("404 Not Found", "ResourceNotFoundException", "None"), agent)
    assert error.request_id == "7f1b3e6a-0001"
    assert error.command == (
        "aws eks create-pod-identity-association --cluster-name CLUSTER --namespace shop "
        "--service-account reports --role-arn ROLE_ARN"
    )


@pytest.mark.usefixtures("_one_attempt")
def test_errors_are_also_botocores(agent: StsServer) -> None:
    agent.script[:] = [send(error_response("400 Bad Request", "AccessDeniedException", "no"))]
    irsa_creds.install()
    with pytest.raises(CredentialRetrievalError) as caught:
        boto3.Session().get_credentials().get_frozen_credentials()
    assert isinstance(caught.value, ClientError)
    assert caught.value.operation_name == "AssumeRoleForPodIdentity"


@pytest.mark.usefixtures("_one_attempt")
@pytest.mark.parametrize("is_pod_identity", [True, False])
def test_an_agent_that_is_not_there_is_an_endpoint_connection_error(
    agent: StsServer, *, is_pod_identity: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/")
    if not is_pod_identity:
        monkeypatch.delenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    irsa_creds.install()
    with pytest.raises(EndpointConnectionError) as caught:
        boto3.Session().get_credentials().get_frozen_credentials()
    text = str(caught.value)
    service = "EKS Pod Identity Agent" if is_pod_identity else "container endpoint"
    assert f"Cannot connect to the {service} (EndpointConnectionError): connection refused" in text
    assert ("kubectl get pods" in text) is is_pod_identity


@pytest.mark.usefixtures("_one_attempt")
def test_another_failure_of_the_network_names_the_agent_too(agent: StsServer) -> None:
    agent.script[:] = [disconnect]
    with pytest.raises(irsa_creds.ExchangeError, match=r"^The EKS Pod Identity Agent closed"):
        irsa_creds.provider().get()


@pytest.mark.usefixtures("_one_attempt")
def test_a_missing_token_file_is_a_token_error_that_knows_pod_identity(token_file: Path) -> None:
    token_file.unlink()
    with pytest.raises(irsa_creds.TokenError, match="Pod Identity association") as caught:
        irsa_creds.provider().get()
    assert "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" in str(caught.value)


def test_a_newline_at_the_end_of_the_token_file_is_not_sent(
    agent: StsServer, token_file: Path
) -> None:
    token_file.write_text("canary\n")
    irsa_creds.provider().get()
    assert agent.seen[0].headers["authorization"] == "canary"


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        ("canary\N{EURO SIGN}", "contains characters that an HTTP header cannot have"),
        ("canary\nline", "contains line breaks"),
        ("canary" * 4_000, "has more than 20,000 characters\\."),
    ],
)
def test_a_token_that_cannot_be_sent_is_an_error_that_does_not_quote_it(
    agent: StsServer, token_file: Path, content: str, trouble: str
) -> None:
    token_file.write_text(content)
    with pytest.raises(irsa_creds.TokenError, match=trouble) as caught:
        irsa_creds.provider().get()
    assert "canary" not in str(caught.value)
    assert "STS" not in str(caught.value)
    assert not agent.seen


# -- its place in chains ---------------------------------------------------------------------------


def test_it_stands_where_botocores_container_provider_was() -> None:
    irsa_creds.install()
    session = boto3.Session()
    assert session.get_credentials().method == "container-role"
    chain = session._session.get_component("credential_provider")
    methods = [each.METHOD for each in chain.providers]
    assert methods.index("container-role") == len(methods) - 2
    ours = chain.providers[-2]
    assert isinstance(ours.replaced, ContainerProvider)
    # CREDENTIALS_HTTP, as botocore's own registers it in the user agent of clients.
    assert session.get_credentials().provider._identity.features == {"z"}


def test_a_session_of_aiobotocore_gets_the_same_credentials(agent: StsServer) -> None:
    # The newest botocore is tested without it.
    aiobotocore = pytest.importorskip("aiobotocore.session")
    irsa_creds.install()

    async def read() -> Any:
        credentials = await aiobotocore.AioSession().get_credentials()
        assert (await credentials.get_frozen_credentials()).access_key == "ASIAAGENT"
        return credentials

    assert boto3.Session().get_credentials().provider is asyncio.run(read()).provider
    assert len(agent.seen) == 1


def test_a_web_identity_comes_first(
    agent: StsServer, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/app")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token_file))
    irsa_creds.install()
    assert boto3.Session().get_credentials().method == "assume-role-with-web-identity"
    assert irsa_creds.provider().role_arn == "arn:aws:iam::123456789012:role/app"


@pytest.mark.parametrize("in_code", [True, False])
@pytest.mark.parametrize(
    "keys",
    [
        "role_arn = arn:aws:iam::123456789012:role/target\ncredential_source = EcsContainer",
        "aws_access_key_id = AKIA\naws_secret_access_key = secret",
        "sso_account_id = 123456789012",
        "credential_process = other",
        "credential_process = irsa-creds process --profile other",
    ],
)
def test_a_profile_with_another_identity_never_gets_the_one_of_the_pod(
    agent: StsServer, profile: Callable[[str], None], keys: str, *, in_code: bool
) -> None:
    profile(keys)
    name = "named" if in_code else None
    with pytest.raises(irsa_creds.ConfigError, match="IRSA is not configured"):
        irsa_creds.provider(profile=name)
    with pytest.raises(irsa_creds.ConfigError, match="IRSA is not configured"):
        irsa_creds.boto3_session(strict=True, profile_name=name).get_credentials()
    assert not agent.seen


def test_the_argument_region_does_not_change_the_identity(agent: StsServer) -> None:
    provider = irsa_creds.provider(region="eu-central-1")
    assert provider.get() is irsa_creds.provider().get()
    assert len(agent.seen) == 1
    with pytest.raises(irsa_creds.ConfigError, match=r"^The argument region is 'eu central 1'"):
        irsa_creds.provider(region="eu central 1")


@pytest.mark.parametrize(
    ("variable", "arguments", "change"),
    [
        ("X", {"duration_seconds": 3600}, "omit the argument duration_seconds, which is for STS"),
        ("AWS_ROLE_ARN", {}, "unset AWS_ROLE_ARN"),
        ("AWS_PROFILE", {}, "name another profile than 'named', which has a role or credentials"),
        ("IRSA_CREDS_CONTAINER", {}, "unset IRSA_CREDS_CONTAINER"),
    ],
)
def test_an_endpoint_that_is_not_used_is_named_with_what_to_change(
    profile: Callable[[str], None],
    variable: str,
    arguments: dict[str, Any],
    change: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profile("sso_account_id = 123456789012")
    values = {"AWS_PROFILE": "named", "IRSA_CREDS_CONTAINER": "0"}
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv(variable, values.get(variable, "x"))
    expected = f"AWS_CONTAINER_CREDENTIALS_FULL_URI is set; to use it, {change}\\.$"
    with pytest.raises(irsa_creds.ConfigError, match=expected):
        irsa_creds.provider(**arguments)


def test_a_role_without_a_token_is_an_error_where_only_the_identity_meant_may_be_used(
    agent: StsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/app")
    with pytest.raises(irsa_creds.ConfigError, match=r"^AWS_ROLE_ARN is '.*, but no web identity"):
        irsa_creds.provider()
    with pytest.raises(irsa_creds.ConfigError, match=r"^AWS_ROLE_ARN is '.*, but no web identity"):
        irsa_creds.boto3_session(strict=True).get_credentials()
    assert not agent.seen
    # As in botocore; one warning says it.
    irsa_creds.install()
    assert boto3.Session().get_credentials().access_key == "ASIAAGENT"


@pytest.mark.parametrize("keys", ["region = eu-west-1", "credential_process = irsa-creds process"])
def test_a_profile_that_names_no_other_identity_gets_the_one_of_the_pod(
    agent: StsServer, profile: Callable[[str], None], keys: str
) -> None:
    profile(keys)
    assert irsa_creds.provider().get().access_key_id == "ASIAAGENT"
    assert irsa_creds.boto3_session(strict=True).get_credentials().access_key == "ASIAAGENT"
    assert len(agent.seen) == 1


def test_a_profile_that_botocore_passes_over_gets_what_botocore_gives_it(
    profile: Callable[[str], None],
) -> None:
    # botocore 1.40.61 does not know this key, and its chain goes on to the container's provider.
    profile("login_session = arn:aws:iam::123456789012:user/app")
    irsa_creds.install()
    session = boto3.Session(profile_name="named")._session
    chain = session.get_component("credential_provider")
    assert chain.get_provider("container-role").load().access_key == "ASIAAGENT"


def test_a_switch_leaves_botocores_own_provider_there(
    agent: StsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_CONTAINER", "0")
    irsa_creds.install()
    session = boto3.Session()
    credentials = session.get_credentials()
    assert credentials.method == "container-role"
    assert type(credentials).__module__ == "botocore.credentials"
    with pytest.raises(irsa_creds.ConfigError, match="IRSA is not configured"):
        irsa_creds.provider()


def test_credentials_of_a_target_role_whose_source_is_the_container_stay(
    profile: Callable[[str], None],
    agent: StsServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profile(
        "region = eu-west-1\nrole_arn = arn:aws:iam::123456789012:role/target\n"
        "credential_source = EcsContainer"
    )
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", boto3.Session(profile_name="named"))
    session: Any = boto3.DEFAULT_SESSION
    current = session.get_credentials()
    for _ in range(2):
        irsa_creds.install()
    assert session.get_credentials() is current
    assert (len(agent.seen), caplog.messages) == (1, [])


def test_a_crowd_of_sessions_makes_one_call(agent: StsServer) -> None:
    irsa_creds.install()
    sessions = [boto3.Session() for _ in range(16)]
    keys: list[str] = []
    threads = [
        threading.Thread(
            target=lambda s: keys.append(s.get_credentials().get_frozen_credentials().access_key),
            args=(session,),
        )
        for session in sessions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert keys == 16 * ["ASIAAGENT"]
    assert len(agent.seen) == 1
