from __future__ import annotations

import os
import socket
import threading
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from diagnosis.network.online_checks import checked
from irsa_creds._credentials import Credentials
from irsa_creds.diagnosis._network import probes
from irsa_creds.diagnosis._network.gather import OnlineFacts, gather_online
from irsa_creds.diagnosis._network.network_checks import online_checks
from irsa_creds.diagnosis._network.probes import StepError
from irsa_creds.testing import Issuer, Sandbox
from sts_server import StsServer, http, make_certificate, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from irsa_creds.diagnosis._checks import Check
    from irsa_creds.testing import Pod

ANY_KEYS = Credentials("ASIA", "secret", "token", datetime.now(UTC))
NODE = "arn:aws:sts::123456789012:assumed-role/eksctl-node/i-0123456789abcdef0"


def sts_reached(checks: Iterable[Check]) -> bool:
    return all(check.data.get("reached") is not False for check in checks)


def statuses(checks: Mapping[str, Check]) -> dict[str, str]:
    return {name: check.status for name, check in checks.items()}


def resolver(addresses: list[str]) -> Callable[..., Any]:
    """Return a `getaddrinfo` that knows one name."""
    real = socket.getaddrinfo

    def found(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if host == "127.0.0.1":
            return real(host, port, *arguments, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    return found


def test_all_checks_are_ok_in_a_pod_with_its_role(here: Pod) -> None:
    checks = checked()
    assert statuses(checks) == {
        "N01": "ok", "N02": "ok", "N03": "skipped", "N04": "ok",
        "N05": "ok", "N06": "ok", "S01": "ok", "S02": "ok",
    }  # fmt: skip
    assert sts_reached(checks.values())
    role = here.role_arn.rpartition("/")[2]
    assert checks["S02"].data["arn"].startswith(f"arn:aws:sts::123456789012:assumed-role/{role}/")


def test_no_secret_is_in_any_fact_or_check(here: Pod) -> None:
    facts = gather_online(os.environ)
    text = f"{facts!r}{online_checks(facts)!r}"
    token = here.token_file.read_text()
    assert token not in text
    assert all(part not in text for part in token.split("."))
    assert "SessionToken" not in text


def test_a_name_that_is_not_known_ends_it_at_once(
    here: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.delenv("AWS_ENDPOINT_URL_STS")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    checks = checked()
    assert statuses(checks) == {
        "N01": "fail", "N02": "skipped", "N03": "skipped", "N04": "ok",
        "N05": "skipped", "N06": "unknown", "S01": "skipped", "S02": "skipped",
    }  # fmt: skip
    assert "Host not found: sts.us-east-1.amazonaws.com" in checks["N01"].message
    assert not sts_reached(checks.values())


def test_a_host_without_an_address_fails(here: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://sts.example.com")
    monkeypatch.setattr(socket, "getaddrinfo", resolver([]))
    assert "the host has no address" in checked()["N01"].message


def test_an_unreadable_configuration_fails(here: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/root/.aws/config")

    monkeypatch.setattr("irsa_creds.diagnosis._network.gather.endpoint_url", denied)
    assert "Permission denied" in checked()["N01"].message


@pytest.mark.parametrize(
    ("addresses", "kind"),
    [
        (["10.0.12.7", "10.0.13.9"], "an interface VPC endpoint"),
        (["fd00::7", "10.0.12.7"], "an interface VPC endpoint"),
        (["52.119.196.1"], "public, so the pod needs a route"),
        (["127.0.0.1"], "this machine"),
    ],
)
def test_a_vpc_endpoint_is_recognized_by_its_address(
    here: Pod, monkeypatch: pytest.MonkeyPatch, addresses: list[str], kind: str
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_STS")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setattr(socket, "getaddrinfo", resolver(addresses))

    def refused(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refused)
    checks = checked()
    assert checks["N01"].status == "ok"
    assert kind in checks["N01"].message
    assert checks["N02"].status == "fail"


def test_without_a_listener_sts_is_not_reached(here: Pod, shared: Sandbox) -> None:
    shared.faults.outage = "refuse"
    checks = checked()
    assert statuses(checks) == {
        "N01": "ok", "N02": "fail", "N03": "skipped", "N04": "ok",
        "N05": "skipped", "N06": "ok", "S01": "skipped", "S02": "skipped",
    }  # fmt: skip
    assert "Connection refused" in checks["N02"].message
    assert not sts_reached(checks.values())


@pytest.mark.parametrize("outage", ["reset", "black hole"])
def test_a_connection_without_a_response_does_not_reach_sts(
    here: Pod, shared: Sandbox, monkeypatch: pytest.MonkeyPatch, outage: str
) -> None:
    # The timeout of a response; the step keeps its own.
    monkeypatch.setattr("irsa_creds.diagnosis._network.probes.STEP", 1.5)
    shared.faults.outage = outage
    checks = checked()
    assert (checks["N02"].status, checks["S01"].status) == ("fail", "skipped")
    assert "sends no response" in checks["N02"].message
    assert not sts_reached(checks.values())


@pytest.mark.parametrize(
    ("step", "check_id"), [(1, "N01"), (2, "N02"), (3, "N02"), (4, "S01"), (5, "S02"), (6, "S02")]
)
def test_a_slow_step_fails_in_its_own_check(
    here: Pod, monkeypatch: pytest.MonkeyPatch, step: int, check_id: str
) -> None:
    steps = count(1)

    def patient(seconds: float, call: Callable[[], object]) -> object:
        if next(steps) == step:
            raise StepError(f"no answer within {seconds:g} s")
        return probes.within(seconds, call)

    monkeypatch.setattr("irsa_creds.diagnosis._network.gather.within", patient)
    monkeypatch.setattr("irsa_creds.diagnosis._network.caller.within", patient)
    checks = checked()
    assert checks[check_id].status in {"fail", "skipped", "unknown"}
    assert "no answer within" in checks[check_id].message
    # GetCallerIdentity is called only if STS was reached.
    assert sts_reached(checks.values()) == (check_id == "S02")


def test_a_call_that_does_not_end_is_left_to_itself() -> None:
    never = threading.Event()
    with pytest.raises(StepError, match=r"no response within 0\.05 s"):
        probes.within(0.05, never.wait)
    never.set()


def test_an_exception_is_reported_without_its_secrets() -> None:
    def fails() -> None:
        raise ValueError(f"https://user:pa55@host {'s' * 50}")

    with pytest.raises(StepError, match=r"^https://\*\*\*@host \*\*\*$"):
        probes.within(5, fails)
    with pytest.raises(StepError, match=r"^KeyError$"):
        probes.within(5, lambda: (_ for _ in ()).throw(KeyError()))


def test_a_denial_of_sts_has_advice(here: Pod, shared: Sandbox) -> None:
    shared.faults.fail("AccessDenied")
    checks = checked()
    assert checks["S01"].status == "fail"
    assert checks["S01"].data == {"code": "AccessDenied"}
    assert "explain" in checks["S01"].fix
    assert checks["S02"].status == "skipped"
    assert sts_reached(checks.values())


@pytest.mark.parametrize(
    ("skew", "status", "words"),
    [
        (0, "ok", "agrees"),
        (100, "warn", "behind"),
        (-100, "warn", "ahead of"),
        (900, "fail", "minutes on"),
    ],
)
def test_the_clock_is_held_to_that_of_sts(
    here: Pod, shared: Sandbox, skew: float, status: str, words: str
) -> None:
    shared.faults.clock_skew = skew
    check = checked()["N05"]
    assert check.status == status
    assert words in check.message
    assert abs(check.data["skew_seconds"] - skew) < 10


@pytest.mark.parametrize("date", [None, "yesterday"])
def test_a_response_without_a_date_leaves_the_clock_unknown(
    here: Pod, shared: Sandbox, date: str | None
) -> None:
    shared.faults.date_header = date
    assert checked()["N05"].status == "unknown"


def test_keys_in_the_environment_are_another_identity(
    here: Pod, monkeypatch: pytest.MonkeyPatch, shared: Sandbox
) -> None:
    admin = shared.client("sts")._get_credentials()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", admin.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", admin.secret_key)
    check = checked()["S02"]
    assert (check.status, check.data["method"]) == ("fail", "env")
    assert "is configured, but a program here is" in check.message


def test_without_irsa_s02_reports_the_identity(
    here: Pod, monkeypatch: pytest.MonkeyPatch, shared: Sandbox
) -> None:
    admin = shared.client("sts")._get_credentials()
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", admin.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", admin.secret_key)
    checks = checked()
    assert statuses(checks) == {
        "N01": "ok", "N02": "ok", "N03": "skipped", "N04": "ok",
        "N05": "ok", "N06": "skipped", "S01": "skipped", "S02": "warn",
    }  # fmt: skip
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in checks["S01"].message


def test_without_any_credentials_there_is_no_caller(
    here: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name)
    check = checked()["S02"]
    assert check.status == "skipped"
    assert "has no credentials" in check.message


@pytest.fixture
def profiles(here: Pod, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Check]:
    """Return a function that gives S02 for a configuration file, without a web identity."""
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name)

    def checked_with(config: str) -> Check:
        path = tmp_path / "config"
        path.write_text(config)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
        return checked()["S02"]

    return checked_with


B_TO_C = "[default]\nrole_arn = arn:aws:iam::123456789012:role/y\nsource_profile = b\n[profile b]\n"
ASSUMES = "role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = {}\n"
MFA = "mfa_serial = arn:aws:iam::123456789012:mfa/me\n"
KEYS = "aws_access_key_id = AKIA\naws_secret_access_key = x\n"


@pytest.mark.parametrize(
    "config",
    [
        f"[default]\n{ASSUMES.format('c')}{MFA}[profile c]\n{KEYS}",
        f"{B_TO_C}{ASSUMES.format('c')}{MFA}[profile c]\n{KEYS}",
    ],
)
def test_no_source_profile_prompts_for_an_mfa_code(
    profiles: Callable[[str], Check], monkeypatch: pytest.MonkeyPatch, config: str
) -> None:
    monkeypatch.setattr("getpass.getpass", lambda *_: pytest.fail("somebody is asked"))
    check = profiles(config)
    assert check.status == "unknown"
    assert "mfa_serial" in check.message


@pytest.mark.parametrize(
    "config",
    [
        "[default]\ncredential_process = {0}\n",
        f"[default]\n{ASSUMES.format('b')}[profile b]\ncredential_process = {{0}}\n",
    ],
)
def test_no_credential_process_is_started(
    profiles: Callable[[str], Check], tmp_path: Path, config: str
) -> None:
    ran = tmp_path / "ran"
    check = profiles(config.format(f"touch {ran}"))
    assert check.status == "unknown"
    assert "credential_process" in check.message
    assert not ran.exists()


def test_profiles_that_lead_nowhere_or_in_a_circle_are_left_to_botocore(
    profiles: Callable[[str], Check],
) -> None:
    assert profiles("[profile other]\nregion = x\n").status == "skipped"
    circle = f"[default]\n{ASSUMES.format('b')}[profile b]\n{ASSUMES.format('default')}"
    assert profiles(circle).status == "unknown"


def test_another_environment_does_not_use_botocores_chain(
    here: Pod, shared: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = dict(os.environ)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "unknown")
    facts = gather_online(environ)
    assert facts.caller is not None
    assert facts.caller.method == "assume-role-with-web-identity"
    assert checked(facts)["S02"].status == "ok"
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"):
        del environ[name]
    assert gather_online(environ).caller is None


def test_a_missing_token_is_reported_by_its_check(
    here: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token")
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    checks = checked()
    assert (checks["N06"].status, checks["S01"].status) == ("skipped", "skipped")
    assert "does not exist" in checks["S01"].message
    assert checks["N02"].data["reached"] is True


def test_an_invalid_role_does_not_stop_the_network_checks(
    here: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ROLE_ARN", "app")
    checks = checked()
    assert checks["N02"].status == "ok"
    assert "AWS_ROLE_ARN" in checks["S01"].message


def test_without_an_endpoint_all_is_skipped(here: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "nonsense")
    checks = checked()
    assert checks["N01"].status == "fail"
    assert not sts_reached(checks.values())
    assert set(statuses(checks).values()) == {"fail", "skipped"}
    assert len(checks) == 8
    assert "AWS_ENDPOINT_URL_STS" in checks["N01"].message


def test_the_region_of_the_issuer_is_the_last_resort(
    here: Pod, monkeypatch: pytest.MonkeyPatch, shared: Sandbox
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    url = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
    here.token_file.write_text(Issuer(url).token())
    monkeypatch.setattr("irsa_creds.diagnosis._network.gather.fetch_issuer", lambda *_, **__: None)
    assert gather_online(os.environ).region == "eu-west-1"


def test_a_profile_with_a_role_chain_requests_the_first_role(
    here: Pod, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared: Sandbox
) -> None:
    first, last = here.role_arn, "arn:aws:iam::123456789012:role/last"
    config = tmp_path / "config"
    config.write_text(
        f"[profile base]\nrole_arn = {first}\nweb_identity_token_file = {here.token_file}\n"
        f"[profile last]\nrole_arn = {last}\nsource_profile = base\n"
    )
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    environ = dict(os.environ)
    facts = gather_online(environ, profile="last")
    assert (facts.role_arn, facts.final_role_arn) == (first, last)
    checks = checked(facts)
    assert (checks["S01"].status, checks["S02"].status) == ("ok", "ok")
    shared.faults.fail("AccessDenied")
    refused = checked(gather_online(environ, profile="last"))["S01"]
    assert first in refused.message
    assert last not in refused.message + refused.fix


class TestTls:
    """HTTPS on the loopback."""

    def test_an_untrusted_certificate_fails(
        self, here: Pod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with StsServer([send(http(""))], certificate=make_certificate(tmp_path)) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
            checks = checked()
        assert (checks["N02"].status, checks["N03"].status) == ("ok", "fail")
        assert "certificate verify failed" in checks["N03"].message
        assert not sts_reached(checks.values())

    def test_a_bundle_that_signs_it_is_named(
        self, here: Pod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        certificate = make_certificate(tmp_path)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate[0]))
        with StsServer([send(http("<Error/>"))], certificate=certificate) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
            checks = checked()
        assert checks["N03"].status == "ok"
        assert str(certificate[0]) in checks["N03"].message
        assert checks["S01"].status == "fail"
        assert sts_reached(checks.values())


class TestProxy:
    """Proxies on the loopback."""

    def test_a_proxy_that_is_not_there_is_not_sts_reached(
        self, here: Pod, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            monkeypatch.setenv("HTTP_PROXY", f"user:pa55@127.0.0.1:{bound.getsockname()[1]}")
            facts = gather_online(os.environ)
        checks = checked(facts)
        assert (checks["N02"].status, checks["N04"].status) == ("fail", "fail")
        assert "pa55" not in repr(facts) + repr(checks)
        assert not sts_reached(checks.values())

    def test_a_proxy_that_denies_fails(self, here: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "https://sts.us-east-1.amazonaws.com")
        with StsServer([send(http("", "407 Proxy Authentication Required"))]) as server:
            monkeypatch.setenv("HTTPS_PROXY", server.url.replace("localhost", "127.0.0.1"))
            checks = checked()
        assert (checks["N02"].status, checks["N03"].status) == ("ok", "skipped")
        assert checks["N04"].status == "fail"
        assert not sts_reached(checks.values())

    def test_a_proxy_that_leads_there_is_named(
        self, here: Pod, monkeypatch: pytest.MonkeyPatch, shared: Sandbox
    ) -> None:
        # The sandbox takes whole URLs as a proxy does.
        monkeypatch.setenv("HTTP_PROXY", shared.sts_url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://sts.example.com")
        checks = checked()
        assert checks["N04"].status == "ok"
        assert f"through the proxy {shared.sts_url}" in checks["N04"].message

    def test_no_proxy_for_the_host_is_reported(
        self, here: Pod, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        checks = checked()
        assert checks["N04"].status == "ok"
        assert "NO_PROXY" in checks["N04"].message
        assert checks["S01"].status == "ok"

    def test_a_proxy_without_a_port_number_fails(
        self, here: Pod, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:port")
        checks = checked()
        assert (checks["N01"].status, checks["N04"].status) == ("skipped", "fail")

    @pytest.mark.parametrize(
        "url",
        ["http://svc:hunter2/abc@proxy.corp:3128", "http://[hunter2", "http://x:hunter2"],
    )
    def test_a_proxy_url_broken_by_its_password_is_not_shown(
        self, here: Pod, monkeypatch: pytest.MonkeyPatch, url: str
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", url)
        facts = gather_online(os.environ)
        checks = checked(facts)
        assert "hunter2" not in f"{facts!r}{checks!r}"
        assert checks["N04"].status == "fail"
        assert "percent-encode" in checks["N04"].message
        assert "percent-encode" in checks["N06"].message
        assert not sts_reached(checks.values())


class TestIdentity:
    """GetCallerIdentity of odd servers."""

    @pytest.mark.parametrize(
        ("body", "status", "says"),
        [
            (
                f"<Arn>{NODE}</Arn>".encode(),
                "200 OK",
                f"role of the node {NODE.rsplit('/', maxsplit=1)[-1]}",
            ),
            (b"<Code>AccessDenied</Code>", "403 Forbidden", "failed: AccessDenied"),
            (b"nothing", "200 OK", "failed: HTTP200"),
        ],
    )
    def test_the_error_of_sts_is_reported(
        self,
        here: Pod,
        monkeypatch: pytest.MonkeyPatch,
        body: bytes,
        status: str,
        says: str,
    ) -> None:
        monkeypatch.setattr(
            "irsa_creds.diagnosis._network.gather._exchange", lambda facts, _: (facts, ANY_KEYS)
        )
        with StsServer([send(http(body, status))]) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
            checks = checked()
        assert says in checks["S02"].message

    def test_a_missing_response_is_reported(
        self, here: Pod, monkeypatch: pytest.MonkeyPatch, shared: Sandbox
    ) -> None:
        def then_reset(facts: OnlineFacts, _: object) -> Any:
            shared.faults.outage = "reset"
            return facts, ANY_KEYS

        monkeypatch.setattr("irsa_creds.diagnosis._network.gather._exchange", then_reset)
        assert "failed: Connection" in checked()["S02"].message
