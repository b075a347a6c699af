from __future__ import annotations

import subprocess
from typing import Any

import pytest

from irsa_creds._errors import Failure
from irsa_creds.diagnosis._checks import Check, Diagnosis
from irsa_creds.diagnosis._network.network_checks import online_checks
from irsa_creds.diagnosis._network.network_facts import (
    Caller,
    Connected,
    Exchanged,
    IssuerDocuments,
    Lookup,
    OnlineFacts,
    Probe,
)

ROLE = "arn:aws:iam::123456789012:role/team/app"
SESSION = "arn:aws:sts::123456789012:assumed-role/app/pod"
URL = "https://sts.us-east-1.amazonaws.com"
ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
KID = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"

WELL = OnlineFacts(
    url=URL,
    region="us-east-1",
    role_arn=ROLE,
    final_role_arn=ROLE,
    lookup=Lookup("sts.us-east-1.amazonaws.com", ("10.0.0.1", "10.0.1.1")),
    connection=Connected("10.0.0.1"),
    probe=Probe(403, skew=0.2),
    issuer=IssuerDocuments(ISSUER, "eu-west-1", KID, named=ISSUER, kids=("other", KID)),
    exchanged=Exchanged(SESSION, 3599.7),
    caller=Caller(SESSION, "assume-role-with-web-identity"),
)


def check(check_id: str, **changes: Any) -> Check:
    checks = online_checks(WELL._replace(**changes))
    assert [each.id for each in checks] == ["N01", "N02", "N03", "N04", "N05", "N06", "S01", "S02"]
    return Diagnosis(checks)[check_id]


def test_all_well_is_all_ok() -> None:
    assert {each.status for each in online_checks(WELL)} == {"ok"}
    assert check("N02").data["reached"] is True


def test_addresses_are_counted() -> None:
    assert "10.0.0.1 and 1 more: private, so an interface VPC endpoint" in check("N01").message


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("10.0.0.1", "10.0.0.1: private."),
        ("192.0.78.9", "192.0.78.9: public."),
        ("fe80::1%eth0", "private"),
    ],
)
def test_an_sts_that_is_not_aws_s_has_no_vpc_endpoint(address: str, kind: str) -> None:
    found = check("N01", is_aws=False, lookup=Lookup("sts.example.com", (address,)))
    assert kind in found.message


def test_another_region_of_the_cluster_is_allowed() -> None:
    assert check("N06").status == "ok"
    assert "in eu-west-1 and STS is called in us-east-1, which is allowed" in check("N06").message
    assert "which is allowed" not in check("N06", region="eu-west-1").message
    assert "which is allowed" not in check("N06", region=None).message


def test_a_token_without_its_key_id_fails() -> None:
    found = check("N06", issuer=IssuerDocuments(ISSUER, named=ISSUER, kids=(KID,)))
    assert found.status == "fail"
    assert "(without an id)" in found.message


def test_an_issuer_that_differs_by_a_slash_fails() -> None:
    found = check("N06", issuer=IssuerDocuments(ISSUER, kid=KID, named=f"{ISSUER}/", kids=(KID,)))
    assert found.status == "fail"
    assert "slashes included" in found.message


@pytest.mark.parametrize(
    "url",
    [
        "https://x/$(reboot)",
        "https://x\nsudo rm -rf /",
        "--output=/x",
        "https://user:pa55@x",
        "https://x/" + "x" * 300,
    ],
)
def test_an_issuer_that_is_not_a_plain_url_is_in_no_command(url: str) -> None:
    found = check("N06", issuer=IssuerDocuments(url, error="no"))
    assert (
        found.fix
        == "# the token's issuer (iss) is not a plain URL: check where the token comes from"
    )
    assert "pa55" not in repr(found.as_dict())


def test_the_issuer_s_document_is_to_be_fetched_by_hand() -> None:
    found = check("N06", issuer=IssuerDocuments(ISSUER, error="no"))
    assert found.fix == f"curl -sS {ISSUER}/.well-known/openid-configuration"


def test_an_invalid_proxy_url_fails_once_and_sts_is_not_reached() -> None:
    broken = WELL._replace(
        proxy_error="the URL of the proxy (HTTPS_PROXY) cannot be parsed",
        lookup=None, connection=None, probe=None, exchanged=None, caller=None,
    )  # fmt: skip
    checks = Diagnosis(online_checks(broken))
    assert [each.id for each in checks.having("fail")] == ["N04"]
    assert checks["N04"].message == "The URL of the proxy (HTTPS_PROXY) cannot be parsed."
    assert checks.exit_status() == 4


def test_that_sts_is_not_reached_hides_no_other_fault() -> None:
    unknown = Lookup("sts.example.com", error="no such name")
    facts = WELL._replace(lookup=unknown, connection=None, probe=None, exchanged=None, caller=None)
    assert Diagnosis(online_checks(facts)).exit_status() == 4
    foreign = facts._replace(issuer=IssuerDocuments(ISSUER, kid=KID, named=ISSUER, kids=("other",)))
    assert Diagnosis(online_checks(foreign)).exit_status() == 1


@pytest.mark.parametrize(
    "unreached",
    [
        {"connection": Connected(error="52.94.1.1: timed out"), "probe": None},
        {"probe": Probe(code="ReadTimeoutError", reason="timed out")},
    ],
)
def test_a_global_endpoint_that_is_not_reached_has_no_vpc_endpoint(
    unreached: dict[str, Any],
) -> None:
    found = check("N02", url="https://sts.amazonaws.com", region=None, **unreached)
    assert found.status == "fail"
    assert "no VPC endpoint: AWS_STS_REGIONAL_ENDPOINTS is legacy, or no" in found.message
    assert "\nexport AWS_STS_REGIONAL_ENDPOINTS=regional AWS_REGION=REGION\n" in found.fix
    regional = check("N02", **unreached)
    assert "legacy" not in regional.message + regional.fix
    assert regional.message.endswith("Kind of address: private, so an interface VPC endpoint.")
    proxied = check("N02", url="https://sts.amazonaws.com", proxy="http://proxy:3128", **unreached)
    assert "legacy" not in proxied.message + proxied.fix
    assert (
        "Kind of address" not in proxied.message + check("N02", is_aws=False, **unreached).message
    )


def test_without_an_endpoint_sts_is_not_reached() -> None:
    checks = Diagnosis(online_checks(OnlineFacts(settings_error="it is nonsense.")))
    assert [each.id for each in checks.having("fail")] == ["N01"]
    assert checks["N01"].message.endswith("it is nonsense.")
    assert checks.exit_status() == 4


@pytest.mark.parametrize(
    ("addresses", "kind"),
    [
        (("100.64.3.7",), "an interface VPC endpoint"),
        (("10.0.0.1", "52.119.196.1"), "public and private addresses"),
        (("127.0.0.1", "10.0.0.1"), "an interface VPC endpoint"),
    ],
)
def test_all_addresses_count_and_non_global_ones_are_private(
    addresses: tuple[str, ...], kind: str
) -> None:
    assert kind in check("N01", lookup=Lookup("sts", addresses)).message


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({}, "sts.us-east-1.amazonaws.com (port 443)"),
        ({"url": "http://127.0.0.1:33163"}, "127.0.0.1 (port 33163)"),
        ({"proxy": "http://proxy:3128"}, "proxy (port 3128)"),
        ({"url": "http://sts"}, "sts (port 80)"),
    ],
)
def test_the_way_that_must_be_open_is_named_with_its_port(
    changes: dict[str, Any], where: str
) -> None:
    found = check("N02", connection=Connected(error="refused"), **changes)
    assert found.fix.endswith(f"reach {where}")
    assert found.fix.startswith("# ")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_variable_that_names_the_proxy_is_that_of_the_url(scheme: str) -> None:
    found = check("N04", proxy="http://proxy:3128", probe=None, url=f"{scheme}://sts.example.com")
    assert found.fix.endswith(f'sts.example.com"  # or correct {scheme.upper()}_PROXY')


def test_hosts_in_no_proxy_stay_in_it() -> None:
    fix = check("N04", proxy="http://proxy:3128", probe=None).fix
    shell = f"NO_PROXY=a,b; {fix}; echo $NO_PROXY; unset NO_PROXY; {fix}; echo $NO_PROXY"
    shell = shell.replace("  # or correct HTTPS_PROXY", "")
    printed = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    host = "sts.us-east-1.amazonaws.com"
    assert printed.stdout == f"a,b,{host}\n{host}\n"


@pytest.mark.parametrize("command", ["aws iam get-role --role-name app > role.json", ""])
def test_a_denied_pod_gets_commands_for_another_machine(command: str) -> None:
    denied = Failure("exchange", "AccessDenied", "No.", command=command)
    first, *rest = check("S01", exchanged=denied).fix.splitlines()
    assert first == "# where you have iam:GetRole (not in the pod)"
    assert len(rest) == 1
    assert rest[0].startswith(command or "irsa-creds explain ")


def test_the_role_of_a_fix_that_is_not_known_is_words_in_capitals() -> None:
    node = Caller("arn:aws:sts::123456789012:assumed-role/node/i-0123456789abcdef0", "iam-role")
    found = check("S02", caller=node, role_arn=None, final_role_arn=None)
    assert found.fix.endswith("eks.amazonaws.com/role-arn=arn:aws:iam::ACCOUNT:role/ROLE")


def test_an_unknown_caller_is_unknown_and_no_caller_is_skipped() -> None:
    assert check("S02", caller=Caller(error="no answer within 6 s")).status == "unknown"
    assert check("S02", caller=Caller()).status == "skipped"


def test_a_token_on_an_open_wire_is_a_warning() -> None:
    found = check("N03", url="http://sts.example.com", is_aws=False)
    assert found.status == "warn"
    assert "is sent in clear text" in found.message


def test_plain_http_on_loopback_is_skipped() -> None:
    local = Lookup("localhost", ("127.0.0.1",))
    assert check("N03", url="http://localhost:8000", is_aws=False, lookup=local).status == "skipped"


@pytest.mark.parametrize(
    ("code", "statuses"),
    [
        ("ReadTimeoutError", ("fail", "skipped", "unknown")),
        ("SSLError", ("ok", "fail", "ok")),
        ("ProxyConnectionError", ("ok", "skipped", "fail")),
    ],
)
def test_behind_a_proxy_each_failure_is_reported_once(code: str, statuses: tuple[str, ...]) -> None:
    broken = WELL._replace(
        proxy="http://proxy:3128", probe=Probe(code=code, reason="no"), exchanged=None, caller=None
    )
    checks = Diagnosis(online_checks(broken))
    assert tuple(checks[each].status for each in ("N02", "N03", "N04")) == statuses
    assert checks.exit_status() == 4


def test_a_role_with_a_path_is_known_by_its_name() -> None:
    assert check("S02").status == "ok"


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sts::123456789012:assumed-role/other/pod",
        "arn:aws:sts::210987654321:assumed-role/app/pod",
        "arn:aws-cn:sts::123456789012:assumed-role/app/pod",
        "arn:aws:iam::123456789012:user/app",
    ],
)
def test_another_identity_than_the_configured_one_fails(arn: str) -> None:
    found = check("S02", caller=Caller(arn, "env"))
    assert found.status == "fail"
    assert "(by env)" in found.message
    assert "node" not in found.message


def test_the_nodes_role_is_recognized_by_its_session() -> None:
    node = "arn:aws:sts::123456789012:assumed-role/eksctl-nodes/i-0123456789abcdef0"
    found = check("S02", caller=Caller(node, "iam-role"))
    assert found.status == "fail"
    assert "the role of the node i-0123456789abcdef0" in found.message
    assert (
        check("S02", caller=Caller(node, "iam-role"), role_arn=None, final_role_arn=None).status
        == "fail"
    )


def test_the_last_role_of_a_chain_is_the_one_meant() -> None:
    last = "arn:aws:iam::123456789012:role/last"
    session = "arn:aws:sts::123456789012:assumed-role/last/pod"
    assert check("S02", final_role_arn=last, caller=Caller(session, "assume-role")).status == "ok"
    assert check("S02", final_role_arn=last, caller=Caller(SESSION, "assume-role")).status == "fail"


def test_an_sts_without_get_caller_identity_is_unknown() -> None:
    unasked = Caller(method="env", error="MethodNotAllowed")
    assert check("S02", caller=unasked, is_aws=False).status == "unknown"
    assert check("S02", caller=unasked).status == "fail"


def test_a_failure_comes_with_a_command() -> None:
    failed = Failure("exchange", "InvalidIdentityToken", "No.", "Do.", command="curl x")
    found = check("S01", exchanged=failed)
    assert (found.message, found.fix) == (f"No. Do. The role is {ROLE}.", "curl x")
    assert found.data == {"code": "InvalidIdentityToken"}


@pytest.mark.parametrize("command", ["eksctl utils x", "aws iam x"])
def test_a_command_that_needs_rights_in_aws_says_where_to_run_it(command: str) -> None:
    failed = Failure("exchange", "InvalidIdentityToken", "No.", command=command)
    assert check("S01", exchanged=failed).fix == (
        f"# where you have rights in the role's account (not in the pod)\n{command}"
    )


def test_an_sts_that_is_lost_in_the_exchange_is_not_reached() -> None:
    lost = WELL._replace(
        exchanged=Failure("exchange", "ReadTimeoutError", "", unreachable=True), caller=None
    )
    assert Diagnosis(online_checks(lost)).exit_status() == 4
