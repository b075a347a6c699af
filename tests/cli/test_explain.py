"""`explain`, `trust-policy` and `manifest`, as commands."""

from __future__ import annotations

import base64
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import parse_qs, quote
from xml.sax.saxutils import escape

import pytest
import yaml

from irsa_creds.cli import _iam, main
from irsa_creds.diagnosis._explain.explain import CAVEAT
from irsa_creds.diagnosis._policy.templates import trust_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ISSUER = f"https://oidc.eks.eu-west-1.amazonaws.com/id/{'0123456789ABCDEF' * 2}"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/reader"
WHO = ["--service-account", "prod/reader", "--issuer", ISSUER]
STS = "sts.amazonaws.com"
SIGNATURE = "c2lnbmF0dXJlLXRoYXQtaXMtc2VjcmV0"
RIGHT = trust_policy("prod/reader", ISSUER, ACCOUNT)
WRONG = json.loads(json.dumps(RIGHT).replace("prod:reader", "prod:raeder"))


NOW = 1_800_000_000


def jwt(audience: str = "sts.amazonaws.com", **times: int) -> str:
    claims = {"iss": ISSUER, "sub": "system:serviceaccount:prod:reader", "aud": [audience]} | times
    encoded = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{encoded}.{SIGNATURE}"


@pytest.fixture(autouse=True)
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with policies and a token in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "right.json").write_text(json.dumps(RIGHT))
    (tmp_path / "wrong.json").write_text(json.dumps(WRONG))
    (tmp_path / "token").write_text(jwt() + "\n")
    return tmp_path


class Terminal(io.StringIO):
    """Standard output that shows color."""

    def isatty(self) -> bool:
        return True


def typed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


Ran = tuple[int, str, str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs a command in this process: status, output, errors; the token is in neither."""

    def done(*arguments: str) -> Ran:
        status = main(list(arguments))
        out, err = capsys.readouterr()
        assert SIGNATURE not in out + err
        return status, out, err

    return done


def test_a_policy_that_allows_exits_with_0_and_names_the_request(
    run: Callable[..., Ran],
) -> None:
    status, out, err = run("explain", "--token", "token", "--policy", "right.json")
    assert (status, err) == (0, "")
    assert out.startswith("ALLOW (trust policy only)\n")
    assert "\nsubject  'system:serviceaccount:prod:reader'\n" in out
    assert f"\nissuer   '{ISSUER}'\n" in out
    assert "\nstatement 1\n" in out
    assert f"--fetch also looks at the OIDC provider in IAM.\n{CAVEAT}\n\nstatement 1\n" in out


def test_a_policy_that_denies_exits_with_1_with_cause_and_fix(
    run: Callable[..., Ran],
) -> None:
    status, out, _ = run("explain", "--token", "token", "--policy", "wrong.json")
    assert status == 1
    verdict, finding, caveat, statement = (block.splitlines() for block in out.split("\n\n"))
    assert verdict[0] == "DENY  name differs: 'raeder' in the policy, 'reader' in the token (P04)"
    assert statement[0] == "nearest statement: 1"
    assert json.loads("".join(statement[1:])) == WRONG["Statement"][0]
    assert finding[0].startswith("P04 error   Statement 1 requires sub to be")
    fix = finding.index("            fix:")
    assert all(len(line) <= 100 for line in finding[:fix])
    assert finding[fix + 1].startswith('              Under "StringEquals": ')
    assert finding[fix + 2].startswith("              or run the pod as the service account raeder")
    assert caveat == [
        "To write the corrected policy, run the same command with --fixed FILE.",
        CAVEAT,
    ]


def test_a_warning_s_first_line_keeps_its_distance(run: Callable[..., Ran], workdir: Path) -> None:
    condition = {"StringEquals": {f"{ISSUER.removeprefix('https://')}:aud": "sts.amazonaws.com"}}
    statement = RIGHT["Statement"][0] | {"Condition": condition}
    (workdir / "open.json").write_text(json.dumps(RIGHT | {"Statement": [statement]}))
    out = run("explain", *WHO, "--policy", "open.json")[1]
    assert "\nP11 warning Statement 1 has no condition on sub" in out


def test_an_expired_token_is_said_beside_the_verdict_and_in_the_exit_status(
    run: Callable[..., Ran], workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irsa_creds.diagnosis._explain.explain.time", lambda: float(NOW))
    monkeypatch.setenv("COLUMNS", "60")
    (workdir / "old").write_text(jwt(exp=NOW - 3_600))
    status, out, _ = run("explain", "--token", "old", "--policy", "right.json")
    assert status == 3
    assert out.startswith(
        "ALLOW (trust policy only), but the token expired 60 minutes\n      ago, so STS denies it"
    )
    assert "note " not in out
    status, out, _ = run("explain", "--token", "old", "--policy", "wrong.json")
    assert status == 1
    assert out.startswith("DENY  name differs: ")
    assert "\nnote     the token expired 60 minutes ago, so STS denies it;\n" in out
    fields = json.loads(run("explain", "--token", "old", "--policy", "right.json", "--json")[1])
    assert (fields["verdict"], len(fields["notes"])) == ("allow", 1)


def test_a_policy_that_only_aws_can_judge_ends_with_3(
    run: Callable[..., Ran], workdir: Path
) -> None:
    (workdir / "open.json").write_text(
        json.dumps(RIGHT | {"Statement": [RIGHT["Statement"][0] | {"Principal": "*"}]})
    )
    status, out, _ = run("explain", *WHO, "--policy", "open.json")
    assert status == 3
    assert out.startswith("UNKNOWN (trust policy only): only AWS can decide\n")


def test_a_policy_without_an_allow_has_no_nearest_statement(
    run: Callable[..., Ran], workdir: Path
) -> None:
    denying = RIGHT | {"Statement": [RIGHT["Statement"][0] | {"Effect": "Deny"}]}
    (workdir / "deny.json").write_text(json.dumps(denying))
    status, out, _ = run("explain", *WHO, "--policy", "deny.json")
    assert status == 1
    assert "nearest statement" not in out


def test_information_has_no_fix(run: Callable[..., Ran], workdir: Path) -> None:
    noted = json.loads(json.dumps(RIGHT))
    email = {f"{ISSUER.removeprefix('https://')}:email": "a@b.c"}
    noted["Statement"][0]["Condition"]["StringEqualsIfExists"] = email
    (workdir / "noted.json").write_text(json.dumps(noted))
    status, out, _ = run("explain", *WHO, "--policy", "noted.json")
    assert status == 0
    assert "P07 info    Statement 1 tests email" in out
    assert "fix:" not in out


def test_json_is_all_that_is_printed(run: Callable[..., Ran]) -> None:
    status, out, err = run("explain", "--token", "token", "--policy", "wrong.json", "--json")
    assert (status, err) == (1, "")
    fields = json.loads(out)
    requested = ["issuer", "subject", "audience", "role_arn"]
    assert list(fields) == ["schema", "verdict", "findings", "notes", *requested]
    subject = "system:serviceaccount:prod:reader"
    assert [fields[name] for name in requested] == [ISSUER, subject, ["sts.amazonaws.com"], None]
    named = run("explain", *WHO, "--role-arn", ROLE, "--policy", "wrong.json", "--json")[1]
    again = json.loads(named)
    assert [again[name] for name in requested] == [ISSUER, subject, ["sts.amazonaws.com"], ROLE]
    assert (fields["schema"], fields["verdict"]) == (1, "deny")
    assert [list(finding) for finding in fields["findings"]] == [
        ["id", "severity", "statement", "message", "fix"]
    ]


def test_a_terminal_gets_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    main(["explain", *WHO, "--policy", "wrong.json"])
    shown = terminal.getvalue()
    assert shown.startswith("\x1b[31mDENY  \x1b[0mname differs: ")
    assert "\x1b[31mP04 error   \x1b[0m" in shown


def test_the_policy_can_come_from_standard_input(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    role = {"Role": {"RoleName": "reader", "AssumeRolePolicyDocument": RIGHT}}
    typed(monkeypatch, b"\xef\xbb\xbf" + json.dumps(role).encode())
    assert run("explain", "--token", "token", "--policy", "-")[0] == 0


def test_the_token_can_come_from_standard_input(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, f"{jwt('vault')}\n".encode())
    status, out, _ = run("explain", "--token", "-", "--policy", "right.json")
    assert status == 1
    assert "P06 error" in out


def test_the_role_s_account_counts_by_option_or_variable(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "arn:aws:iam::210987654321:role/reader"
    assert run("explain", *WHO, "--policy", "right.json", "--role-arn", other)[0] == 1
    monkeypatch.setenv("AWS_ROLE_ARN", other)
    assert run("explain", *WHO, "--policy", "right.json")[0] == 1
    assert run("explain", *WHO, "--policy", "right.json", "--role-arn", ROLE)[0] == 0


def test_a_policy_that_names_its_role_is_not_held_against_that_of_the_environment(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, workdir: Path
) -> None:
    role = {"Role": {"Arn": ROLE, "AssumeRolePolicyDocument": WRONG}}
    (workdir / "role.json").write_text(json.dumps(role))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::210987654321:role/reader")
    _, out, err = run("explain", *WHO, "--policy", "role.json", "--fixed", "fixed.json")
    assert f"\nrole     '{ROLE}'\n" in out
    assert "P02" not in out
    assert "--role-name reader " in err


def test_an_invalid_role_variable_is_named(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ROLE_ARN", "garbage")
    status, _, err = run("explain", *WHO, "--policy", "right.json")
    assert status == 2
    assert "AWS_ROLE_ARN is 'garbage'" in err


@pytest.mark.parametrize("option", ["--policy", "--token"])
def test_a_closed_standard_input_is_wrong_usage(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    rest = [*WHO] if option == "--policy" else ["--policy", "right.json"]
    status, _, err = run("explain", option, "-", *rest)
    assert status == 2
    assert "standard input is closed" in err


def test_a_token_in_the_wrong_option_is_not_printed(run: Callable[..., Ran]) -> None:
    who = ["--service-account", "prod/reader", "--issuer", jwt()]
    status, out, err = run("explain", *who, "--policy", "right.json")
    assert status == 2
    assert jwt().split(".")[1] not in out + err


@pytest.mark.parametrize("token", ["hvs.CAESIJ0canary", "s.Zcanary0123456789abcdef", "canary" * 3])
def test_a_possible_opaque_token_is_not_printed(run: Callable[..., Ran], token: str) -> None:
    status, out, err = run("explain", "--token", token, "--policy", "right.json")
    assert status == 2
    assert "canary" not in out + err


def test_the_advice_for_a_pod_is_for_the_pod_s_own_file(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token")
    requested = ["explain", "--policy", "right.json", "--token"]
    assert "the pod's service account" in run(*requested, "/nowhere/token")[2]
    assert "the pod's service account" not in run(*requested, "/nowhere/else")[2]


def test_a_corrected_policy_never_replaces_the_token(
    run: Callable[..., Ran], workdir: Path
) -> None:
    before = (workdir / "token").read_text()
    arguments = ["--token", "token", "--policy", "wrong.json", "--fixed", "./token"]
    status, _, err = run("explain", *arguments)
    assert status == 2
    assert "names the file of the token" in err
    assert (workdir / "token").read_text() == before


def test_an_audience_goes_with_a_service_account(run: Callable[..., Ran]) -> None:
    assert run("explain", *WHO, "--audience", "vault", "--policy", "right.json")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--policy", "right.json"], "Give a token, or a service account"),
        (
            ["--token", "token", *WHO, "--policy", "right.json"],
            "Give either a token, or service account",
        ),
        (["--token", "-", "--policy", "-"], "not both"),
        (["--token", "nowhere/token", "--policy", "right.json"], "does not exist"),
        (
            ["--token", "nosuch.jwt", "--policy", "right.json"],
            "The token file './nosuch.jwt' does not exist. Use a file with a token",
        ),
        (
            ["--token", "empty", "--policy", "right.json"],
            "'./empty' is empty.\n  advice:  A program that writes",
        ),
        ([*WHO, "--policy", "nowhere.json"], "'nowhere.json' cannot be read: No such file"),
        ([*WHO, "--policy", "nowhere.json"], "get-role --role-name ROLE > role.json"),
        ([*WHO, "--policy", "."], "'.' cannot be read: Is a directory"),
        ([*WHO, "--policy", "nul\0"], "cannot be read"),
        ([*WHO, "--policy", "token"], "is not JSON"),
        ([*WHO, "--policy", "empty"], "is not JSON"),
        ([*WHO, "--policy", "latin"], "is not UTF-8"),
        ([*WHO, "--policy", "long"], "more than 1,048,576 bytes"),
        ([*WHO, "--policy", "right.json", "--role-arn", "reader"], "an ARN begins with 'arn:'"),
        (
            ["--service-account", "reader", "--issuer", "x", "--policy", "right.json"],
            "NAMESPACE/NAME",
        ),
        ([*WHO, "--fetch"], "--fetch needs --role-arn"),
        (
            [*WHO, "--policy", "wrong.json", "--fixed", "./wrong.json"],
            "names the file of the policy",
        ),
        ([*WHO, "--policy", "wrong.json", "--fixed", "nowhere/fixed.json"], "cannot be written"),
        ([*WHO, "--policy", "wrong.json", "--fixed", "n" * 300], "File name too long"),
        ([*WHO, "--policy", "wrong.json", "--fixed", "nul\0"], "cannot be written"),
        ([*WHO, "--policy", "wrong.json", "--fixed", "-"], "not -."),
    ],
)
def test_wrong_usage_exits_with_2_and_not_like_a_denial(
    run: Callable[..., Ran], workdir: Path, arguments: list[str], says: str
) -> None:
    (workdir / "empty").write_text("")
    (workdir / "latin").write_bytes(b"\xff\xfe\xe4")
    (workdir / "long").write_bytes(b" " * (1024 * 1024 + 1))
    before = (workdir / "wrong.json").read_text()
    status, _, err = run("explain", *arguments)
    assert status == 2
    assert says in err
    assert (workdir / "wrong.json").read_text() == before


@pytest.mark.parametrize("arguments", [WHO, [*WHO, "--policy", "a", "--fetch"], ["--nonsense"]])
def test_options_that_do_not_fit_end_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["explain", *arguments])
    assert ended.value.code == 2


def test_a_corrected_policy_is_written_and_allows(run: Callable[..., Ran], workdir: Path) -> None:
    arguments = ["explain", *WHO, "--role-arn", ROLE, "--policy"]
    status, _, err = run(*arguments, "wrong.json", "--fixed", "my fixed.json")
    assert status == 1
    assert json.loads((workdir / "my fixed.json").read_text()) == RIGHT
    assert "aws iam update-assume-role-policy --role-name reader" in err
    assert "'file://my fixed.json'" in err
    assert run(*arguments, "my fixed.json")[0] == 0


def test_a_full_disk_is_not_wrong_usage(run: Callable[..., Ran]) -> None:
    status, _, err = run("explain", *WHO, "--policy", "wrong.json", "--fixed", "/dev/full")
    assert status == 70
    assert "No space left on device" in err
    assert "/dev/full" in err


def test_without_a_role_the_command_has_a_word_for_its_name(run: Callable[..., Ran]) -> None:
    assert "--role-name ROLE " in run("explain", *WHO, "--policy", "wrong.json", "--fixed", "f")[2]


def test_a_corrected_policy_may_replace_an_older_one(
    run: Callable[..., Ran], workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workdir / "fixed.json").write_text("older")
    assert run("explain", *WHO, "--policy", "wrong.json", "--fixed", "fixed.json")[0] == 1
    assert json.loads((workdir / "fixed.json").read_text()) == RIGHT
    typed(monkeypatch, json.dumps(WRONG).encode())
    assert run("explain", *WHO, "--policy", "-", "--fixed", "fixed.json")[0] == 1


@pytest.mark.parametrize(
    ("policy", "says"),
    [("right.json", "the policy already allows"), ("twice.json", "no single change")],
)
def test_nothing_is_written_without_a_correction(
    run: Callable[..., Ran], workdir: Path, policy: str, says: str
) -> None:
    twice = WRONG["Statement"][0] | {"Action": "sts:AssumeRole"}
    (workdir / "twice.json").write_text(json.dumps(WRONG | {"Statement": [twice]}))
    _, _, err = run("explain", *WHO, "--policy", policy, "--fixed", "fixed.json")
    assert f"fixed.json not written: {says}" in err
    assert not (workdir / "fixed.json").exists()


def test_a_policy_cannot_steer_the_terminal(run: Callable[..., Ran], workdir: Path) -> None:
    statement = WRONG["Statement"][0] | {"Sid": "\x1b]0;owned\x07\u202e"}
    (workdir / "steer.json").write_text(json.dumps(WRONG | {"Statement": [statement]}))
    out = run("explain", *WHO, "--policy", "steer.json")[1]
    assert not {"\x1b", "\x07", "\u202e"} & set(out)


class Iam(HTTPServer):
    """IAM on loopback: GetRole of one role."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.arn = ROLE
        self.trust = WRONG
        self.refuses = ""
        self.client_ids: list[str] | None = ["sts.amazonaws.com"]
        self.hides_provider = False
        self.requested: list[dict[str, list[str]]] = []


class Asked(BaseHTTPRequestHandler):
    """One request to `Iam`."""

    server: Iam

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.requested.append(parse_qs(body))
        status, response = self._answer()
        self.send_response(status)
        self.send_header("Content-Length", str(len(response)))
        self.end_headers()
        self.wfile.write(response)

    def _answer(self) -> tuple[int, bytes]:
        if self.server.refuses:
            error = f"<Code>AccessDenied</Code><Message>{self.server.refuses}</Message>"
            return 403, f"<ErrorResponse><Error>{error}</Error></ErrorResponse>".encode()
        if self.server.requested[-1]["Action"] == ["GetOpenIDConnectProvider"]:
            return self._provider()
        document = quote(json.dumps(self.server.trust))
        role = (
            f"<Arn>{escape(self.server.arn)}</Arn><RoleName>reader</RoleName><Path>/team/</Path>"
            f"<RoleId>AROA</RoleId><CreateDate>2026-01-01T00:00:00Z</CreateDate>"
            f"<AssumeRolePolicyDocument>{document}</AssumeRolePolicyDocument>"
        )
        result = f"<GetRoleResult><Role>{role}</Role></GetRoleResult>"
        return 200, f"<GetRoleResponse>{result}</GetRoleResponse>".encode()

    def _provider(self) -> tuple[int, bytes]:
        ids = self.server.client_ids
        if ids is None or self.server.hides_provider:
            code = "AccessDenied" if self.server.hides_provider else "NoSuchEntity"
            return 403, f"<E><Error><Code>{code}</Code></Error></E>".encode()
        members = "".join(f"<member>{escape(each)}</member>" for each in ids)
        name = "GetOpenIDConnectProvider"
        listed = f"<ClientIDList>{members}</ClientIDList>"
        return (
            200,
            f"<{name}Response><{name}Result>{listed}</{name}Result></{name}Response>".encode(),
        )

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def iam(monkeypatch: pytest.MonkeyPatch) -> Iterator[Iam]:
    """IAM, and credentials that may call it."""
    with Iam() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "only-for-this-test")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        yield server
        server.shutdown()
        thread.join()


def test_a_policy_can_be_fetched_by_the_role_s_name_without_its_path(
    run: Callable[..., Ran], iam: Iam, workdir: Path
) -> None:
    status, out, _ = run("explain", *WHO, "--role-arn", ROLE, "--fetch", "--fixed", "fixed.json")
    assert status == 1
    assert "P04 error" in out
    role, provider = iam.requested
    assert (role["Action"], role["RoleName"]) == (["GetRole"], ["reader"])
    arn = RIGHT["Statement"][0]["Principal"]["Federated"]
    assert provider["OpenIDConnectProviderArn"] == [arn]
    assert json.loads((workdir / "fixed.json").read_text()) == RIGHT


@pytest.mark.parametrize(
    ("client_ids", "token", "expected"),
    [
        (None, (ISSUER, STS), ["IAM has no OIDC provider", "eksctl utils associate-iam-oidc-"]),
        (None, ("https://a.b", "x"), ["IAM has no OIDC provider", "aws iam create-open-id-"]),
        (["vault"], (ISSUER, STS), ["does not list the token's aud", "aws iam add-client-id-to-"]),
        (["vault"], (ISSUER, "x"), ["does not list the token's aud", "Use a token for one of "]),
        ([STS], (ISSUER, STS), []),
    ],
)
def test_with_fetch_a_missing_provider_or_audience_is_said_in_the_first_line(
    run: Callable[..., Ran], iam: Iam, client_ids: Any, token: tuple[str, str], expected: list[str]
) -> None:
    issuer, audience = token
    iam.client_ids = client_ids
    iam.trust = trust_policy("prod/reader", issuer, ACCOUNT, audience=audience)
    who = ["--service-account", "prod/reader", "--issuer", issuer, "--audience", audience]
    status, out, _ = run("explain", *who, "--role-arn", ROLE, "--fetch")
    first = " ".join(out.partition("\nsubject")[0].split())
    assert first.startswith("ALLOW (trust policy only)")
    assert status == (3 if expected else 0)
    assert ("P16 error" in out) == bool(expected)
    assert ("P16 info    The OIDC provider exists in IAM and lists the audience." in out) != bool(
        expected
    )
    assert "OIDC provider in IAM, SCPs" not in out
    for note, fix in [expected] if expected else []:
        assert note in first
        assert f"              {fix}" in out


def test_a_provider_that_may_not_be_read_changes_nothing(
    run: Callable[..., Ran], iam: Iam, monkeypatch: pytest.MonkeyPatch
) -> None:
    iam.trust = RIGHT
    iam.hides_provider = True
    status, out, _ = run("explain", *WHO, "--role-arn", ROLE, "--fetch")
    assert status == 0
    assert "P16 info    The OIDC provider was not checked, which takes" in out
    reachable_once = mock.Mock(side_effect=[_iam._iam_client(ROLE), OSError])
    monkeypatch.setattr(_iam, "_iam_client", reachable_once)
    assert run("explain", *WHO, "--role-arn", ROLE, "--fetch")[0] == 0


def test_an_issuer_that_is_built_into_iam_needs_no_provider(
    run: Callable[..., Ran], iam: Iam
) -> None:
    who = ["--service-account", "prod/reader", "--issuer", "https://accounts.google.com"]
    assert run("explain", *who, "--role-arn", ROLE, "--fetch")[0] == 1
    assert [requested["Action"] for requested in iam.requested] == [["GetRole"]]


def test_a_role_of_the_same_name_in_another_account_is_not_taken_for_it(
    run: Callable[..., Ran], iam: Iam
) -> None:
    iam.arn = ROLE.replace(ACCOUNT, "210987654321")
    status, _, err = run("explain", *WHO, "--role-arn", ROLE, "--fetch")
    assert status == 2
    assert "another account" in err
    assert "210987654321" in err


def test_a_denied_web_identity_cannot_fetch_and_gets_other_commands(
    run: Callable[..., Ran], iam: Iam, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/eksctl-prod-addon-iamserviceaccount-Role1-{'A1B2C3D4' * 2}"
    iam.refuses = f"Not authorized to perform sts:AssumeRoleWithWebIdentity on {role} for {jwt()}"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{iam.server_port}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ROLE_ARN", role)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(workdir / "token"))
    status, _, err = run("explain", "--token", "token", "--fetch")
    assert status == 2
    assert [requested["Action"] for requested in iam.requested] == [["AssumeRoleWithWebIdentity"]]
    assert "here the web identity, and STS denies it" in err
    assert f"on {role} for ***." in err
    fetch, explained = err.splitlines()[-2:]
    assert fetch == f"  aws iam get-role --role-name {role.rpartition('/')[2]} > role.json"
    assert explained.startswith("  irsa-creds explain --policy role.json ")


def test_a_missing_token_file_is_wrong_usage(
    run: Callable[..., Ran], iam: Iam, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(workdir / "none"))
    status, _, err = run("explain", "--token", "token", "--fetch")
    assert status == 2
    assert "aws iam get-role --role-name reader > role.json" in err
    assert not iam.requested


def test_a_denial_of_iam_is_explained(run: Callable[..., Ran], iam: Iam) -> None:
    iam.refuses = "no iam:GetRole for you"
    status, _, err = run("explain", *WHO, "--role-arn", ROLE, "--fetch")
    assert status == 2
    assert "no iam:GetRole for you" in err
    assert "aws iam get-role --role-name reader > role.json" in err


@pytest.mark.parametrize(
    "who",
    [
        ["--token", "nowhere/token"],
        ["--token", "right.json"],
        ["--service-account", "reader", "--issuer", ISSUER],
        ["--service-account", "prod/reader", "--issuer", "ftp://a.b"],
        ["--service-account", "prod/reader"],
    ],
)
def test_wrong_arguments_are_reported_before_iam_is_called(
    run: Callable[..., Ran], iam: Iam, who: list[str]
) -> None:
    assert run("explain", *who, "--role-arn", ROLE, "--fetch")[0] == 2
    assert not iam.requested


def test_without_credentials_iam_is_not_called(
    run: Callable[..., Ran], iam: Iam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    status, _, err = run("explain", *WHO, "--role-arn", ROLE, "--fetch")
    assert status == 2
    assert "NoCredentialsError" in err
    assert not iam.requested


def test_a_partition_without_a_known_region_has_the_session_s(
    run: Callable[..., Ran], iam: Iam, monkeypatch: pytest.MonkeyPatch
) -> None:
    iam.arn = ROLE.replace("arn:aws:", "arn:aws-eusc:")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eusc-de-east-1")
    assert run("explain", *WHO, "--role-arn", iam.arn, "--fetch")[0] == 1


def test_a_generated_policy_is_json_and_allows(run: Callable[..., Ran], workdir: Path) -> None:
    status, out, err = run("trust-policy", *WHO, "--account", ACCOUNT)
    assert (status, err) == (0, "")
    assert json.loads(out) == RIGHT
    (workdir / "made.json").write_text(out)
    assert run("explain", *WHO, "--policy", "made.json", "--role-arn", ROLE)[0] == 0


def test_a_generated_policy_of_another_partition_and_audience(run: Callable[..., Ran]) -> None:
    more = ["--partition", "aws-cn", "--audience", "vault", "--json"]
    _, out, _ = run("trust-policy", *WHO, "--account", ACCOUNT, *more)
    expected = trust_policy("prod/reader", ISSUER, ACCOUNT, partition="aws-cn", audience="vault")
    assert json.loads(out) == {"schema": 1, "policy": expected}


def test_a_manifest_is_printed(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    status, out, _ = run("manifest", "--service-account", "prod/reader", "--role-arn", ROLE)
    assert status == 0
    assert [each["kind"] for each in yaml.safe_load_all(out)] == ["ServiceAccount", "Deployment"]
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    again = ["manifest", "--service-account", "prod/reader", "--image", "app:1", "--json"]
    fields = json.loads(run(*again)[1])
    python = "public.ecr.aws/docker/library/python:3.13-slim"
    lines = out.replace(python, "app:1").splitlines(keepends=True)
    assert fields["manifest"] == "".join(line for line in lines if "command:" not in line)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["manifest", "--service-account", "prod/reader"], "--role-arn"),
        (["manifest", "--service-account", "reader", "--role-arn", ROLE], "NAMESPACE/NAME"),
        (["trust-policy", *WHO, "--account", "1"], "12 digits"),
    ],
)
def test_invalid_arguments_exit_with_2(
    run: Callable[..., Ran], arguments: list[str], says: str
) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert says in err


def test_help_says_that_a_dash_reads_standard_input(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    words = " ".join(capsys.readouterr().out.split())
    assert "file with the web identity token; - reads standard input --service-account" in words


@pytest.mark.parametrize("name", ["explain", "trust-policy", "manifest"])
def test_help_has_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"  irsa-creds {name} " in capsys.readouterr().out.replace("| irsa", "\n  irsa")
