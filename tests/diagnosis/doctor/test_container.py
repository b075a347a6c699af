"""`doctor` in pods with EKS Pod Identity, with the agent of the testing kit."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from irsa_creds import doctor
from irsa_creds.diagnosis._network.container import container_check
from irsa_creds.diagnosis._network.probes import StepError

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds.testing import Irsa

pytestmark = pytest.mark.irsa(
    namespace="shop", service_account="reports", bucket=None, pod_identity=True
)


def statuses(*, online: bool = False) -> dict[str, str]:
    found = doctor(online=online).checks
    return {each.id: each.status for each in found if each.status not in {"ok", "skipped"}}


def test_a_correct_pod_needs_no_irsa_and_no_sts(irsa: Irsa) -> None:
    assert irsa.environ
    found = doctor(online=True)
    assert [each for each in found.having("fail") if each.id[0] != "V"] == []
    assert (found["A01"].status, found["A02"].status, found["A03"].status) == ("ok", "ok", "ok")
    assert found["C01"].message == "Nothing takes precedence over EKS Pod Identity."
    assert found["S01"].status == found["N01"].status == "skipped"
    assert found["A03"].data["account_id"] == "123456789012"
    assert doctor()["A03"].status == "skipped"


@pytest.mark.parametrize(
    ("break_it", "id_", "text"),
    [
        (lambda irsa: irsa.pod.rotate_token(lifetime=-60), "A02", "expired"),
        (lambda irsa: irsa.pod.rotate_token(audience="sts.amazonaws.com"), "A02", "audience"),
        (lambda irsa: irsa.pod.volume.write("opaque"), "A02", "not a JWT"),
        (lambda irsa: irsa.pod.token_file.unlink(), "A02", "does not exist"),
    ],
)
def test_a_wrong_token_is_found_without_the_network(
    irsa: Irsa, break_it: Callable[[Irsa], Any], id_: str, text: str
) -> None:
    break_it(irsa)
    check = doctor()[id_]
    assert check.status == "fail"
    assert text in check.message
    assert "kubectl rollout restart" in check.fix


@pytest.mark.parametrize(
    ("break_it", "text"),
    [
        (
            lambda irsa: irsa.sandbox.associate("shop", "reports", None),
            "no Pod Identity association",
        ),
        (lambda irsa: irsa.faults.fail("AccessDeniedException"), "may not assume the role"),
        (lambda irsa: setattr(irsa.faults, "outage", "refuse"), "Cannot connect to the EKS Pod"),
        (lambda irsa: setattr(irsa.faults, "outage", "black hole"), "hop limit"),
    ],
)
def test_what_the_agent_responds_is_found_online(
    irsa: Irsa, break_it: Callable[[Irsa], Any], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irsa_creds.diagnosis._network.container.STEP", 1.2)
    break_it(irsa)
    found = doctor(online=True)
    assert found["A03"].status == "fail"
    assert text in found["A03"].message
    assert found.exit_status() == 1


def test_a_request_that_never_ends_is_found_too(
    irsa: Irsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> NoReturn:
        raise StepError("no response within 10 s")

    assert irsa.environ
    monkeypatch.setattr("irsa_creds.diagnosis._network.container.within", never)
    check = doctor(online=True)["A03"]
    assert check.data["code"] == "Timeout"
    assert "no response within 10 s" in check.message


def test_without_an_endpoint_nothing_is_sent() -> None:
    assert container_check({}, None, used=True).status == "skipped"


def test_with_both_identities_irsa_takes_precedence_and_the_agent_is_a_warning(
    irsa: Irsa, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = irsa.sandbox.deploy("shop", "other", role="other", bucket=None)
    for name, value in other.environ.items():
        monkeypatch.setenv(name, value)
    assert doctor()["A01"].message.endswith("IRSA takes precedence.")
    assert doctor()["E03"].status == "warn"
    irsa.sandbox.associate("shop", "reports", None)
    found = doctor(online=True)
    assert found["A03"].status == "warn"
    assert found["S01"].status == "ok"


def test_another_endpoint_has_no_token_file(irsa: Irsa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    assert irsa.environ
    assert doctor()["A02"].message == "Only EKS Pod Identity has a token file."
    assert doctor(online=True)["A03"].status == "fail"


def test_a_wrong_setting_is_not_sent_anywhere(irsa: Irsa, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://10.0.0.1/")
    found = doctor(online=True)
    assert found["A01"].status == "fail"
    assert (found["A02"].status, found["A03"].status) == ("skipped", "skipped")
    assert not irsa.sandbox.sts_calls


def test_a_profile_in_code_with_keys_of_its_own_has_no_endpoint(
    irsa: Irsa, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    config = tmp_path / "config"
    config.write_text("[profile keys]\naws_access_key_id = a\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert irsa.environ
    with pytest.raises(KeyError):
        doctor(profile="keys")["A01"]
    assert "AWS_CONFIG_FILE" in os.environ
