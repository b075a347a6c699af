from __future__ import annotations

import base64
import json
import os
import socket
import threading
import time
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from irsa_creds._credentials import Credentials
from irsa_creds._place import Http
from irsa_creds._token import Token
from irsa_creds.diagnosis import _online, _online_caller, _online_issuer, _online_steps
from irsa_creds.diagnosis._check_online import online_checks
from irsa_creds.diagnosis._online import OnlineFacts, gather_online
from irsa_creds.diagnosis._online_steps import Trouble
from irsa_creds.testing import Issuer, Sandbox
from irsa_creds.testing._server import LoopbackServer, Reply, Request
from stsserver import StsServer, answer, http, make_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from irsa_creds.diagnosis._checks import Check
    from irsa_creds.testing import Pod

ANY_KEYS = Credentials("ASIA", "secret", "token", datetime.now(UTC))
NODE = "arn:aws:sts::123456789012:assumed-role/eksctl-node/i-0123456789abcdef0"


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """One sandbox for all: these tests only ask, and clear the faults they set."""
    with Sandbox() as opened:
        yield opened


_roles = count()


@pytest.fixture
def here(shared: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pod]:
    """A pod whose environment is this process's."""
    pod = shared.deploy(role=f"app-{next(_roles)}", bucket=None)
    for name, value in pod.environ.items():
        monkeypatch.setenv(name, value)
    yield pod
    shared.faults.clear()
    shared.issuer.reachable = True


def checked(facts: OnlineFacts | None = None) -> dict[str, Check]:
    found = gather_online(os.environ) if facts is None else facts
    return {check.id: check for check in online_checks(found)}


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


def served(respond: Callable[[Request], Reply]) -> LoopbackServer:
    return LoopbackServer(respond)


def as_json(document: object, status: int = 200, **headers: str) -> Reply:
    return Reply(status, headers, json.dumps(document).encode())


def token_of(iss: object, header: bytes = b'{"kid": "k1"}') -> Token:
    parts = (header, json.dumps({"iss": iss}).encode(), b"signature")
    return Token(".".join(base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in parts))


def test_all_is_well_in_a_pod_whose_role_is_had(here: Pod) -> None:
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
    said = f"{facts!r}{online_checks(facts)!r}"
    token = here.token_file.read_text()
    assert token not in said
    assert all(part not in said for part in token.split("."))
    assert "SessionToken" not in said


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
    assert "sts.us-east-1.amazonaws.com is not known here" in checks["N01"].message
    assert not sts_reached(checks.values())


def test_a_name_without_an_address_is_told(here: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://sts.example.com")
    monkeypatch.setattr(socket, "getaddrinfo", resolver([]))
    assert "it has no address" in checked()["N01"].message


def test_a_configuration_that_cannot_be_read_is_told(
    here: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/root/.aws/config")

    monkeypatch.setattr(_online, "endpoint_url", denied)
    assert "Permission denied" in checked()["N01"].message


@pytest.mark.parametrize(
    ("addresses", "kind"),
    [
        (["10.0.12.7", "10.0.13.9"], "an interface VPC endpoint"),
        (["fd00::7", "10.0.12.7"], "an interface VPC endpoint"),
        (["52.119.196.1"], "public, so the pod needs a way out"),
        (["127.0.0.1"], "this very machine"),
    ],
)
def test_the_address_tells_a_vpc_endpoint_from_a_public_one(
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


def test_where_nobody_listens_sts_is_not_reached(here: Pod, shared: Sandbox) -> None:
    shared.faults.outage = "refuse"
    checks = checked()
    assert statuses(checks) == {
        "N01": "ok", "N02": "fail", "N03": "skipped", "N04": "ok",
        "N05": "skipped", "N06": "ok", "S01": "skipped", "S02": "skipped",
    }  # fmt: skip
    assert "Connection refused" in checks["N02"].message
    assert not sts_reached(checks.values())


@pytest.mark.parametrize("outage", ["reset", "black hole"])
def test_a_connection_without_an_answer_is_not_sts_reached(
    here: Pod, shared: Sandbox, monkeypatch: pytest.MonkeyPatch, outage: str
) -> None:
    # What an answer may take; all of a step may take as long as ever.
    monkeypatch.setattr(_online_steps, "STEP", 1.5)
    shared.faults.outage = outage
    checks = checked()
    assert (checks["N02"].status, checks["S01"].status) == ("fail", "skipped")
    assert "no answer comes" in checks["N02"].message
    assert not sts_reached(checks.values())


@pytest.mark.parametrize(
    ("step", "check_id"), [(1, "N01"), (2, "N02"), (3, "N02"), (4, "S01"), (5, "S02"), (6, "S02")]
)
def test_a_step_that_takes_too_long_is_told_in_its_place(
    here: Pod, monkeypatch: pytest.MonkeyPatch, step: int, check_id: str
) -> None:
    steps = count(1)

    def patient(seconds: float, call: Callable[[], object]) -> object:
        if next(steps) == step:
            raise Trouble(f"no answer within {seconds:g} s")
        return _online_steps.within(seconds, call)

    monkeypatch.setattr(_online, "within", patient)
    monkeypatch.setattr(_online_caller, "within", patient)
    checks = checked()
    assert checks[check_id].status in {"fail", "skipped", "unknown"}
    assert "no answer within" in checks[check_id].message
    # Who a program is, is asked of an STS that has been reached.
    assert sts_reached(checks.values()) == (check_id == "S02")


def test_a_call_that_does_not_end_is_left_to_itself() -> None:
    never = threading.Event()
    with pytest.raises(Trouble, match=r"no answer within 0\.05 s"):
        _online_steps.within(0.05, never.wait)
    never.set()


def test_a_call_that_raises_is_told_without_what_it_holds() -> None:
    def fails() -> None:
        raise ValueError(f"https://user:pa55@host {'s' * 50}")

    with pytest.raises(Trouble, match=r"^https://\*\*\*@host \*\*\*$"):
        _online_steps.within(5, fails)
    with pytest.raises(Trouble, match=r"^KeyError$"):
        _online_steps.within(5, lambda: (_ for _ in ()).throw(KeyError()))


def test_what_sts_refuses_says_what_to_do(here: Pod, shared: Sandbox) -> None:
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
def test_an_answer_without_a_date_tells_nothing_of_the_clock(
    here: Pod, shared: Sandbox, date: str | None
) -> None:
    shared.faults.date_header = date
    assert checked()["N05"].status == "unknown"


def test_keys_in_the_environment_are_somebody_else(
    here: Pod, monkeypatch: pytest.MonkeyPatch, shared: Sandbox
) -> None:
    admin = shared.client("sts")._get_credentials()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", admin.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", admin.secret_key)
    check = checked()["S02"]
    assert (check.status, check.data["method"]) == ("fail", "env")
    assert "is meant, but a program here is" in check.message


def test_without_irsa_s02_tells_who_a_program_is_all_the_same(
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


def test_without_irsa_and_without_anything_else_there_is_nobody(
    here: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name)
    check = checked()["S02"]
    assert check.status == "skipped"
    assert "no credentials anywhere" in check.message


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
def test_no_profile_on_the_way_asks_for_an_mfa_code_on_the_terminal(
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


def test_another_environment_than_this_process_s_is_not_asked_of_botocore(
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


def test_a_token_that_is_not_there_is_told_in_its_place(
    here: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token")
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    checks = checked()
    assert (checks["N06"].status, checks["S01"].status) == ("skipped", "skipped")
    assert "does not exist" in checks["S01"].message
    assert checks["N02"].data["reached"] is True


def test_a_role_that_is_none_leaves_the_network_to_be_looked_at(
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


def test_the_region_of_the_issuer_is_the_last_to_be_asked(
    here: Pod, monkeypatch: pytest.MonkeyPatch, shared: Sandbox
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    url = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
    here.token_file.write_text(Issuer(url).token())
    monkeypatch.setattr(_online, "ask_issuer", lambda *_, **__: None)
    assert gather_online(os.environ).region == "eu-west-1"


def test_a_profile_that_leads_to_a_role_asks_for_the_first(
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

    def test_a_certificate_that_nobody_signed_is_told(
        self, here: Pod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with StsServer([answer(http(""))], certificate=make_certificate(tmp_path)) as server:
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
        with StsServer([answer(http("<Error/>"))], certificate=certificate) as server:
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

    def test_a_proxy_that_refuses_is_told(self, here: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "https://sts.us-east-1.amazonaws.com")
        with StsServer([answer(http("", "407 Proxy Authentication Required"))]) as server:
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
        assert f"by the proxy {shared.sts_url}" in checks["N04"].message

    def test_no_proxy_that_names_the_host_is_told(
        self, here: Pod, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        checks = checked()
        assert checks["N04"].status == "ok"
        assert "NO_PROXY" in checks["N04"].message
        assert checks["S01"].status == "ok"

    def test_a_proxy_without_a_port_number_is_told(
        self, here: Pod, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:port")
        checks = checked()
        assert (checks["N01"].status, checks["N04"].status) == ("skipped", "fail")

    @pytest.mark.parametrize(
        "url",
        ["http://svc:hunter2/abc@proxy.corp:3128", "http://[hunter2", "http://x:hunter2"],
    )
    def test_a_proxy_s_url_that_is_torn_by_its_password_shows_nothing_of_it(
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


class TestIssuer:
    """Discovery document and keys."""

    def ask(self, url: object, header: bytes = b'{"kid": "k1"}') -> Any:
        http_settings = Http()
        return _online_issuer.ask_issuer(http_settings, token_of(url, header), aws=False)

    def test_an_issuer_that_is_down_is_no_fault_of_the_pod(
        self, here: Pod, shared: Sandbox
    ) -> None:
        shared.issuer.reachable = False
        check = checked()["N06"]
        assert check.status == "unknown"
        assert "answers 503" in check.message

    def test_a_key_that_is_not_published_is_told(self, here: Pod, shared: Sandbox) -> None:
        here.token_file.write_text(shared.issuer.token(header={"kid": "old"}))
        check = checked()["N06"]
        assert check.status == "fail"
        assert "The key old" in check.message

    def test_another_issuer_in_the_document_is_told(self) -> None:
        discovery = {"issuer": "https://other.example", "jwks_uri": ""}
        replies: dict[str, Reply] = {}
        with served(lambda request: replies[request.path]) as server:
            discovery["jwks_uri"] = f"{server.url}/keys"
            replies["/.well-known/openid-configuration"] = as_json(discovery)
            replies["/keys"] = as_json({"keys": [{"kid": "k1"}, {"kid": 5}, "none"]})
            found = self.ask(server.url)
        assert (found.named, found.kids, found.error) == ("https://other.example", ("k1",), "")

    def test_a_few_redirects_are_followed(self) -> None:
        replies: dict[str, Reply] = {}
        with served(lambda request: replies[request.path]) as server:
            first = "/.well-known/openid-configuration"
            replies[first] = Reply(302, {"Location": "/there"}, b"")
            replies["/there"] = as_json({"issuer": server.url, "jwks_uri": f"{server.url}/keys"})
            replies["/keys"] = as_json({"keys": []})
            found = self.ask(server.url)
        assert (found.named, found.error) == (server.url, "")

    @pytest.mark.parametrize(
        ("places", "error"),
        [
            ({"jwks_uri": "http://127.0.0.2:1/keys"}, "leads to another place"),
            ({"jwks_uri": "https://127.0.0.1/keys"}, "leads to another place"),
            ({"Location": "http://169.254.169.254/latest/meta-data"}, "leads to another place"),
            ({"Location": "http://[bad"}, "not a valid host"),
        ],
    )
    def test_what_a_strange_document_names_is_not_asked(
        self, places: dict[str, str], error: str
    ) -> None:
        reply = as_json(places)
        if "Location" in places:
            reply = Reply(302, places, b"")
        with served(lambda _: reply) as server:
            assert error in self.ask(server.url).error

    def test_an_old_urllib3_is_read_byte_by_byte(self) -> None:
        pieces = [b"a", b"b", b""]
        raw = SimpleNamespace(read=lambda size: pieces.pop(0)[:size])
        assert _online_issuer._read(raw, time.monotonic() + 60) == b"ab"

    def test_a_redirect_to_what_is_no_url_is_told(self) -> None:
        with pytest.raises(Trouble, match="redirects to what is no URL"):
            _online_issuer._onward("http://issuer.example", "//[bad")

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://issuer.example"])
    def test_where_aws_is_to_ask_it_an_issuer_has_https(self, url: str) -> None:
        found = _online_issuer.ask_issuer(Http(), token_of(url), aws=True)
        assert "no https URL" in found.error

    @pytest.mark.parametrize(
        "address",
        ["169.254.169.254", "fe80::1%eth0", "fd00:ec2::254", "0.0.0.0", "::ffff:169.254.169.254"],
    )
    def test_no_issuer_is_where_clouds_hand_out_credentials(
        self, monkeypatch: pytest.MonkeyPatch, address: str
    ) -> None:
        monkeypatch.setattr(_online_issuer, "addresses_of", lambda *_: (address,))
        assert "which is no issuer's" in self.ask("http://issuer.example").error

    def test_a_public_issuer_leads_nobody_into_the_network(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        way = _online_issuer._Way(Http(), "https://issuer.example", aws=True, deadline=0)
        monkeypatch.setattr(_online_issuer, "addresses_of", lambda *_: ("52.1.1.1",))
        assert not _online_issuer._is_inside(way)
        monkeypatch.setattr(_online_issuer, "addresses_of", lambda *_: ("10.0.0.7",))
        with pytest.raises(Trouble, match=r"leads to 10\.0\.0\.7, inside this network"):
            _online_issuer._get(way, "https://keys.example/keys")

    def test_behind_a_proxy_a_name_is_looked_up_by_the_proxy(self, shared: Sandbox) -> None:
        proxied = Http(environment_proxies=(("http", shared.sts_url),))
        found = _online_issuer.ask_issuer(proxied, token_of("http://issuer.example"), aws=False)
        assert "answers" in found.error or "JSON" in found.error
        found = _online_issuer.ask_issuer(proxied, token_of("http://169.254.169.254"), aws=False)
        assert "which is no issuer's" in found.error

    def test_an_issuer_that_is_not_there_is_named_by_its_host(self) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{bound.getsockname()[1]}"
            error = self.ask(f"{url}/id/{'E' * 60}").error
        assert url in error
        assert "***" not in error

    def test_a_document_that_drips_is_left_when_the_time_is_over(self) -> None:
        with served(lambda _: as_json({})) as server:
            way = _online_issuer._Way(Http(), server.url, aws=False, deadline=0, inside=True)
            with pytest.raises(Trouble, match="did not end in time"):
                _online_issuer._get(way, server.url)

    def test_a_loop_of_redirects_is_not(self) -> None:
        asked = []

        def onward(request: Request) -> Reply:
            asked.append(request.path)
            return Reply(302, {"Location": request.path}, b"")

        with served(onward) as server:
            assert self.ask(server.url).error == "more than 3 redirects"
        assert len(asked) == 4

    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            (Reply(200, {}, b"<html>"), "is no JSON document"),
            (as_json([]), "is no JSON document"),
            (Reply(200, {}, b"[" * 100_000), "is no JSON document"),
            (Reply(200, {}, b'{"a": "' + b"x" * 300_000 + b'"}'), "is no JSON document"),
            (as_json({"keys": 5, "jwks_uri": "file:///etc/passwd"}), "is no http(s) URL"),
            (Reply(302, {"Location": "ftp://elsewhere"}, b""), "is no http(s) URL"),
        ],
    )
    def test_a_document_that_is_none_is_told(self, reply: Reply, error: str) -> None:
        with served(lambda _: reply) as server:
            assert error in self.ask(server.url).error

    def test_a_key_set_without_keys_is_told(self) -> None:
        with served(lambda _: as_json({"jwks_uri": f"{server.url}/keys"})) as server:
            assert "has no keys" in self.ask(server.url).error

    def test_an_issuer_that_is_no_url_is_not_asked(self) -> None:
        assert "is no http(s) URL" in self.ask("file:///etc").error
        assert self.ask(5).error == "the token names no issuer"

    @pytest.mark.parametrize("header", [b"[]", b"{", b'{"kid": 5}', b"[" * 10_000])
    def test_a_token_without_the_id_of_a_key_is_told(self, header: bytes) -> None:
        assert self.ask("file:///etc", header).kid is None


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
            (b"<Code>AccessDenied</Code>", "403 Forbidden", "does not say: AccessDenied"),
            (b"nothing", "200 OK", "does not say: HTTP200"),
        ],
    )
    def test_what_sts_says_is_told(
        self,
        here: Pod,
        monkeypatch: pytest.MonkeyPatch,
        body: bytes,
        status: str,
        says: str,
    ) -> None:
        monkeypatch.setattr(_online, "_exchange", lambda facts, _: (facts, ANY_KEYS))
        with StsServer([answer(http(body, status))]) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
            checks = checked()
        assert says in checks["S02"].message

    def test_an_answer_that_does_not_come_is_told(
        self, here: Pod, monkeypatch: pytest.MonkeyPatch, shared: Sandbox
    ) -> None:
        def then_reset(facts: OnlineFacts, _: object) -> Any:
            shared.faults.outage = "reset"
            return facts, ANY_KEYS

        monkeypatch.setattr(_online, "_exchange", then_reset)
        assert "does not say: Connection" in checked()["S02"].message
