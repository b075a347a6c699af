from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from botocore.exceptions import ClientError

import irsa_creds.testing
from irsa_creds.testing import Issuer, Sandbox
from testing.sandbox_http import Response, http

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds.testing import Pod
    from testing.sandbox_http import MovableClock

    Enter = Callable[[Pod], Any]
    Exchange = Callable[..., Response]

EVALUATOR = ("evaluate", "logic", "policy", "request")


def test_an_unchanged_boto3_program_reads_its_bucket(pod: Pod, enter: Enter) -> None:
    s3 = enter(pod).client("s3")
    s3.put_object(Bucket="data", Key="hello", Body=b"world")
    assert s3.get_object(Bucket="data", Key="hello")["Body"].read() == b"world"
    s3.close()


def test_another_process_reads_it_too(pod: Pod, sandbox: Sandbox) -> None:
    sandbox.client("s3").put_object(Bucket="data", Key="hello", Body=b"world")
    program = (
        "import boto3; print(boto3.client('s3').get_object(Bucket='data', Key='hello')"
        "['Body'].read().decode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **pod.environ},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "world\n"


def test_a_pod_has_the_variables_of_webhook_and_kubelet(pod: Pod, sandbox: Sandbox) -> None:
    assert pod.environ == {
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/app-role",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(pod.token_file),
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        "AWS_ENDPOINT_URL": sandbox.endpoint_url,
        "AWS_ENDPOINT_URL_STS": sandbox.sts_url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    assert pod.token_file.parent.joinpath("..data").is_symlink()


def test_a_rotated_token_has_the_same_path(exchange: Exchange, pod: Pod, sandbox: Sandbox) -> None:
    exchange()
    token = pod.rotate_token(lifetime=600)
    assert pod.token_file.read_text() == token
    exchange()
    first, second = sandbox.sts_calls
    assert first.token_sha256 != second.token_sha256
    assert second.token_sha256 == hashlib.sha256(token.encode()).hexdigest()
    assert second.claims["exp"] - second.claims["iat"] == 600


def test_every_call_to_sts_is_recorded(exchange: Exchange, pod: Pod, sandbox: Sandbox) -> None:
    exchange(RoleSessionName="one")
    exchange(RoleSessionName="two", WebIdentityToken="opaque", PolicyArns=None)
    valid, invalid = sandbox.sts_calls
    assert (valid.action, valid.role_arn) == ("AssumeRoleWithWebIdentity", pod.role_arn)
    assert (valid.session_name, valid.outcome) == ("one", "OK")
    assert valid.claims["sub"] == "system:serviceaccount:default:app"
    assert valid.params.keys() == {"Action", "Version", "RoleArn", "RoleSessionName"}
    assert valid.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    assert (invalid.session_name, invalid.outcome, invalid.claims) == (
        "two",
        "InvalidIdentityToken",
        {},
    )
    assert invalid.access_key_id is None
    assert valid.at < invalid.at
    sandbox.reset_calls()
    assert sandbox.sts_calls == []
    assert sandbox.s3_identities == []


def test_finishing_a_dropped_call_does_nothing(sandbox: Sandbox) -> None:
    sandbox._log.finish(99, "OK", None)
    assert sandbox.sts_calls == []


def test_pods_of_one_cluster_share_its_provider_but_not_their_roles(
    sandbox: Sandbox, enter: Enter
) -> None:
    cart = sandbox.deploy("shop", "cart", "cart-role", "carts")
    bill = sandbox.deploy("shop", "bill", "bill-role", "bills")
    assert cart.provider_arn == bill.provider_arn
    assert cart.environ["AWS_ROLE_ARN"] != bill.environ["AWS_ROLE_ARN"]
    s3 = enter(cart).client("s3")
    s3.list_objects_v2(Bucket="carts")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.list_objects_v2(Bucket="bills")
    s3.close()


def test_two_pods_can_share_a_bucket(sandbox: Sandbox) -> None:
    sandbox.deploy("shop", "cart", "cart-role", "both")
    sandbox.deploy("shop", "bill", "bill-role", "both", audience="another")
    assert len(sandbox.client("s3").list_buckets()["Buckets"]) == 1
    (provider,) = sandbox.client("iam").list_open_id_connect_providers()[
        "OpenIDConnectProviderList"
    ]
    detail = sandbox.client("iam").get_open_id_connect_provider(
        OpenIDConnectProviderArn=provider["Arn"]
    )
    assert detail["ClientIDList"] == ["sts.amazonaws.com", "another"]


def test_a_pod_can_have_its_own_policies_and_no_bucket(sandbox: Sandbox, enter: Enter) -> None:
    nothing = sandbox.deploy(bucket=None)
    assert nothing.bucket is None
    assert sandbox.client("iam").list_role_policies(RoleName="app-role")["PolicyNames"] == []
    listing = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
    trusting = {
        "Effect": "Allow",
        "Principal": {"Federated": nothing.provider_arn},
        "Action": "sts:*",
    }
    pod = sandbox.deploy(
        role="lister",
        bucket=None,
        trust_policy={"Version": "2012-10-17", "Statement": [trusting]},
        permissions={"Version": "2012-10-17", "Statement": [listing]},
        max_session_duration=7200,
    )
    s3 = enter(pod).client("s3")
    assert s3.list_buckets()["Buckets"] == []
    s3.close()


def test_a_second_cluster_has_its_own_issuer(sandbox: Sandbox, enter: Enter) -> None:
    sandbox.deploy(role="first-role")
    other = sandbox.add_issuer(Issuer("https://oidc.eks.eu-west-1.amazonaws.com/id/B"))
    pod = sandbox.deploy(issuer=other)
    assert pod.provider_arn.endswith(":oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/B")
    identity = enter(pod).client("sts").get_caller_identity()
    assert identity["Arn"].startswith("arn:aws:sts::123456789012:assumed-role/app-role/")


@pytest.mark.parametrize(("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn")])
def test_region_and_account_can_be_chosen(region: str, partition: str, enter: Enter) -> None:
    with Sandbox(region=region, account_id="111111111111") as sandbox:
        pod = sandbox.deploy()
        assert pod.role_arn == f"arn:{partition}:iam::111111111111:role/app-role"
        assert pod.environ["AWS_REGION"] == region
        s3 = enter(pod).client("s3")
        s3.put_object(Bucket="data", Key="k", Body=b"")
        s3.close()


def test_a_sandbox_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    threads = threading.active_count()
    sandbox = Sandbox()
    assert repr(sandbox) == "<Sandbox (closed)>"
    with sandbox:
        assert repr(sandbox) == f"<Sandbox {sandbox.endpoint_url}>"
        pod = sandbox.deploy()
        sandbox.client("s3").put_object(Bucket="data", Key="k", Body=b"x")
    assert threading.active_count() == threads
    assert not pod.token_file.exists()
    with pytest.raises(ConnectionRefusedError):
        http(sandbox.endpoint_url)
    assert list(tmp_path.iterdir()) == []
    sandbox.faults.outage = "refuse"  # after the end, without effect
    with Sandbox() as fresh:
        assert fresh.client("s3").list_buckets()["Buckets"] == []
        assert fresh.client("iam").list_roles()["Roles"] == []


def test_one_sandbox_can_be_open_at_a_time(sandbox: Sandbox) -> None:
    with pytest.raises(RuntimeError, match="Another Sandbox is open in this process"), Sandbox():
        pass
    assert sandbox.client("s3").list_buckets()["Buckets"] == []


def test_the_administrator_ignores_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "missing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Sandbox() as sandbox:
        sandbox.deploy()


def test_many_threads_read_at_once(pod: Pod, enter: Enter, sandbox: Sandbox) -> None:
    s3 = enter(pod).client("s3")
    s3.put_object(Bucket="data", Key="hello", Body=b"world")
    results: list[bytes] = []

    def read() -> None:
        results.extend(s3.get_object(Bucket="data", Key="hello")["Body"].read() for _ in range(20))

    threads = [threading.Thread(target=read) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    s3.close()
    assert results == [b"world"] * 320
    assert len(sandbox.sts_calls) == 1


def test_tokens_and_credentials_follow_the_given_clock(
    exchange: Exchange, pod: Pod, clock: MovableClock
) -> None:
    clock.ahead = 86_401
    assert exchange()["Code"] == "ExpiredTokenException"
    pod.rotate_token()
    assert exchange().status == 200
    claims = jwt.decode(pod.token_file.read_text(), options={"verify_signature": False})
    assert abs(claims["iat"] - clock()) < 10


def test_the_public_names_are_these() -> None:
    assert irsa_creds.testing.__all__ == [
        "OUTAGES",
        "Faults",
        "Irsa",
        "Issuer",
        "Pod",
        "ProjectedVolume",
        "S3Call",
        "Sandbox",
        "StsCall",
        "UnsupportedPolicyError",
        "in_a_pod",
    ]


def test_it_imports_only_the_evaluator_of_the_library() -> None:
    allowed = ("irsa_creds.testing", *(f"irsa_creds.diagnosis._{name}" for name in EVALUATOR))
    folder = Path(irsa_creds.testing.__file__).parent
    # Only `in_a_pod` uses both: it resets the providers.
    for file in set(folder.glob("*.py")) - {folder / "_plugin.py"}:
        for line in file.read_text().splitlines():
            if line.lstrip().startswith(("from irsa_creds", "import irsa_creds")):
                assert any(name in line for name in allowed), f"{file.name}: {line}"
