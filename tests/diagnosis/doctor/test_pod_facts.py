from __future__ import annotations

import os
from typing import TYPE_CHECKING

import botocore
import pytest

from diagnosis.sample_pod import NOW, ROLE, SECRET, Lab, eks_claims, jwt
from irsa_creds.diagnosis._doctor.file_facts import Mount, gather_file
from irsa_creds.diagnosis._doctor.pod_facts import User, gather_facts

if TYPE_CHECKING:
    from pathlib import Path


def test_the_facts_of_a_correct_pod_have_identity_and_endpoint(tmp_path: Path) -> None:
    facts = Lab(tmp_path).facts()
    assert facts.account == ("prod", "app")
    assert facts.claims == eks_claims()
    assert facts.role is not None
    assert (facts.role.value, facts.role.origin) == (ROLE, "AWS_ROLE_ARN")
    assert facts.token_origin == "AWS_WEB_IDENTITY_TOKEN_FILE"
    assert facts.config is not None
    assert facts.config.region == "eu-central-1"
    assert (facts.in_pod, facts.is_kubernetes_token, facts.uses_aws_sts) == (True, True, True)
    assert facts.config_error == ""


def test_facts_come_from_this_machine_by_default() -> None:
    facts = gather_facts({})
    assert facts.now > 1_700_000_000
    assert facts.versions["botocore"] == botocore.__version__
    assert facts.file is None
    assert facts.config is None
    assert facts.user == User(os.geteuid(), tuple(sorted({os.getegid(), *os.getgroups()})))


def test_a_system_without_user_ids_has_no_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.geteuid")
    assert gather_facts({}).user is None


def test_no_fact_holds_a_secret(tmp_path: Path) -> None:
    lab = Lab(
        tmp_path,
        environ={
            "AWS_ACCESS_KEY_ID": "AKIA",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SESSION_TOKEN": SECRET,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": SECRET,
        },
        config=(
            f"[default]\naws_access_key_id = AKIA\naws_secret_access_key = {SECRET}\n"
            f"credential_process = vault --password {SECRET}\n"
        ),
    )
    facts = lab.facts()
    assert SECRET not in repr(facts)
    assert "AWS_SESSION_TOKEN" in facts.names
    assert set(facts.profile.keys) == {"aws_access_key_id", "credential_process"}


@pytest.mark.parametrize("token", [jwt({"iss": "x"}), SECRET])
def test_a_token_given_as_path_is_not_kept(token: str, tmp_path: Path) -> None:
    facts = Lab(tmp_path, environ={"AWS_WEB_IDENTITY_TOKEN_FILE": token}).facts()
    assert SECRET not in repr(facts)


def test_a_path_that_no_system_call_takes_is_a_missing_file(tmp_path: Path) -> None:
    facts = Lab(tmp_path, environ={"AWS_WEB_IDENTITY_TOKEN_FILE": "/a\0b"}).facts()
    assert facts.file is not None
    assert facts.file.failure is not None


def test_an_invalid_profile_does_not_hide_the_variables(tmp_path: Path) -> None:
    facts = Lab(tmp_path, environ={"AWS_PROFILE": "nowhere"}).facts()
    assert "nowhere" in facts.profile.error
    assert facts.claims == eks_claims()
    assert facts.config is not None


def test_a_second_role_behind_a_web_identity_is_looked_at_from_its_source(tmp_path: Path) -> None:
    facts = Lab(
        tmp_path,
        environ={"AWS_PROFILE": "dev", "AWS_ROLE_ARN": None, "AWS_WEB_IDENTITY_TOKEN_FILE": None},
        config=(
            "[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/dev\nsource_profile = irsa\n"
            f"[profile irsa]\nrole_arn = {ROLE}\nweb_identity_token_file = {{token_file}}\n"
        ),
    ).facts()
    assert facts.profile.routed
    assert facts.role is not None
    assert facts.role.value == ROLE


def test_an_account_that_its_token_does_not_name_is_not_known(tmp_path: Path) -> None:
    facts = Lab(tmp_path, account={"sub": "someone"}).facts()
    assert facts.account is None
    # Another sign of a pod is there.
    assert facts.in_pod


def test_owner_and_mode_of_the_file_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(jwt({}))
    path.chmod(0o640)
    found = gather_file(str(path), "/nowhere")
    assert found.owner == f"uid {os.getuid()}, gid {os.getgid()}, mode 0640"
    assert found.mount is None
    assert not found.projected


def test_the_mount_of_a_file_is_the_nearest_above_it_and_the_last_of_two(tmp_path: Path) -> None:
    volume = tmp_path / "a b"
    volume.mkdir()
    token = volume / "token"
    token.write_text(jwt({}))
    escaped = str(volume).replace(" ", "\\040")
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 0:1 / / rw - overlay overlay rw\n"
        f"2 1 0:2 /old {escaped} rw - tmpfs tmpfs rw\n"
        f"3 1 0:2 /new {escaped} rw - tmpfs tmpfs rw\n"
        f"4 1 0:2 / {escaped}c rw - tmpfs tmpfs rw\n"
    )
    assert gather_file(str(token), str(mounts)).mount == Mount("/new", str(volume))


def test_the_mounts_of_this_very_system_can_be_read(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(jwt({}))
    found = gather_file(str(token), "/proc/self/mountinfo")
    assert found.mount is not None
    assert str(token).startswith(found.mount.point)


def test_the_nearest_existing_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    found = gather_file(str(tmp_path / "a/b/c/token"), "/nowhere")
    assert found.nearest == str(tmp_path / "a")
    assert found.real == ""


def test_a_projected_volume_is_recognized_by_its_symlinks(tmp_path: Path) -> None:
    facts = Lab(tmp_path).facts()
    assert facts.file is not None
    assert facts.file.projected
    assert facts.file.path != facts.file.real


def test_the_clock_can_be_given(tmp_path: Path) -> None:
    assert Lab(tmp_path, clock=5).facts().now == NOW + 5
