from __future__ import annotations

from typing import Any

import pytest

from irsa_creds.diagnosis._check_online import online_checks
from irsa_creds.diagnosis._checks import Check, Diagnosis
from irsa_creds.diagnosis._online_facts import (
    Caller,
    Connection,
    Exchanged,
    Issuer,
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
    connection=Connection("10.0.0.1"),
    probe=Probe(403, skew=0.2),
    issuer=Issuer(ISSUER, "eu-west-1", KID, named=ISSUER, kids=("other", KID)),
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
    assert "10.0.0.1 and 1 more: an interface VPC endpoint" in check("N01").message


@pytest.mark.parametrize(
    ("address", "kind"),
    [("10.0.0.1", "a private one"), ("192.0.78.9", "a public one"), ("fe80::1%eth0", "private")],
)
def test_an_sts_that_is_not_aws_s_has_no_vpc_endpoint(address: str, kind: str) -> None:
    found = check("N01", is_aws=False, lookup=Lookup("sts.example.com", (address,)))
    assert kind in found.message


def test_that_the_cluster_s_region_is_another_is_legal_and_said_so() -> None:
    assert check("N06").status == "ok"
    assert "in eu-west-1 and STS is asked in us-east-1, which is legal" in check("N06").message
    assert "legal" not in check("N06", region="eu-west-1").message
    assert "legal" not in check("N06", region=None).message


def test_a_token_without_the_id_of_its_key_is_told() -> None:
    found = check("N06", issuer=Issuer(ISSUER, named=ISSUER, kids=(KID,)))
    assert found.status == "fail"
    assert "(without an id)" in found.message


def test_an_issuer_that_differs_by_a_slash_is_told() -> None:
    found = check("N06", issuer=Issuer(ISSUER, kid=KID, named=f"{ISSUER}/", kids=(KID,)))
    assert found.status == "fail"
    assert "to the last slash" in found.message


def test_what_is_to_be_pasted_quotes_what_the_token_says() -> None:
    found = check("N06", issuer=Issuer("https://x/$(reboot)", error="no"))
    assert found.fix == "curl 'https://x/$(reboot)/.well-known/openid-configuration'"


def test_a_token_on_an_open_wire_is_a_warning() -> None:
    found = check("N03", url="http://sts.example.com", is_aws=False)
    assert found.status == "warn"
    assert "can be read on its way" in found.message


def test_an_open_wire_inside_the_machine_is_none() -> None:
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
def test_behind_a_proxy_each_failure_is_told_once(code: str, statuses: tuple[str, ...]) -> None:
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
def test_another_identity_than_the_one_meant_is_told(arn: str) -> None:
    found = check("S02", caller=Caller(arn, "env"))
    assert found.status == "fail"
    assert "(by env)" in found.message
    assert "node" not in found.message


def test_the_node_s_role_is_told_by_its_session() -> None:
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


def test_an_sts_that_does_not_know_the_question_is_no_fault() -> None:
    unasked = Caller(method="env", error="MethodNotAllowed")
    assert check("S02", caller=unasked, is_aws=False).status == "unknown"
    assert check("S02", caller=unasked).status == "fail"


def test_what_failed_comes_with_the_command_that_mends_it() -> None:
    failed = Exchanged(code="InvalidIdentityToken", message="No.", advice="Do.", command="eksctl x")
    found = check("S01", exchanged=failed)
    assert (found.message, found.fix) == (f"The role {ROLE} is not given: No. Do.", "eksctl x")
    assert found.data == {"code": "InvalidIdentityToken"}


def test_an_sts_that_is_lost_in_the_exchange_is_not_reached() -> None:
    lost = WELL._replace(
        exchanged=Exchanged(code="ReadTimeoutError", unreachable=True), caller=None
    )
    assert Diagnosis(online_checks(lost)).exit_status() == 4
