"""The sandbox's EKS Pod Identity agent, over plain HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from irsa_creds.testing import OUTAGES
from testing.sandbox_http import Response, http

if TYPE_CHECKING:
    from irsa_creds.testing import Pod, Sandbox
    from testing.sandbox_http import MovableClock


@pytest.fixture
def pod(sandbox: Sandbox) -> Pod:
    return sandbox.deploy("shop", "reports", pod_identity=True)


def ask(sandbox: Sandbox, token: str, path: str = "/v1/credentials") -> Response:
    headers = {"Authorization": token} if token else {}
    return http(sandbox.agent_url, path=path, headers=headers)


def credentials(sandbox: Sandbox, pod: Pod) -> dict[str, Any]:
    response = ask(sandbox, pod.token_file.read_text())
    assert response.status == 200, response.body
    found: dict[str, Any] = json.loads(response.body)
    return found


def test_a_pod_has_the_variables_that_eks_injects(sandbox: Sandbox, pod: Pod) -> None:
    assert pod.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == sandbox.agent_url
    assert pod.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] == str(pod.token_file)
    assert not {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"} & pod.environ.keys()
    assert pod.audience == "pods.eks.amazonaws.com"


def test_the_credentials_of_a_pod_read_its_bucket(sandbox: Sandbox, pod: Pod) -> None:
    found = credentials(sandbox, pod)
    assert found["AccountId"] == "123456789012"
    session = boto3.Session(found["AccessKeyId"], found["SecretAccessKey"], found["Token"])
    s3 = session.client("s3", region_name="us-east-1", endpoint_url=sandbox.endpoint_url)
    s3.put_object(Bucket="data", Key="hello", Body=b"world")
    s3.close()
    (call,) = sandbox.sts_calls
    assert (call.action, call.outcome) == ("AssumeRoleForPodIdentity", "OK")
    assert call.claims["sub"] == "system:serviceaccount:shop:reports"
    assert call.access_key_id == found["AccessKeyId"]
    assert pod.token_file.read_text() not in repr(vars(type(call))) + str(call.headers)


def test_the_agent_hands_out_its_cached_credentials_until_they_are_nearly_expired(
    sandbox: Sandbox, pod: Pod, clock: MovableClock
) -> None:
    first = credentials(sandbox, pod)
    clock.ahead += 5 * 3600
    assert credentials(sandbox, pod) == first
    clock.ahead += 3600 - 14
    assert credentials(sandbox, pod) != first
    second = credentials(sandbox, pod)
    pod.rotate_token()
    assert credentials(sandbox, pod) != second, "the cache is by token"
    sandbox.expire_credentials()
    third = credentials(sandbox, pod)
    assert third != second


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        ({"lifetime": -60}, 400, "token is expired"),
        ({"audience": "sts.amazonaws.com"}, 400, "(InvalidTokenException): Token audience"),
        ({"service_account": "other"}, 404, "(ResourceNotFoundException): No PodIdentity"),
        ({"omit": ["iss"]}, 400, "(InvalidTokenException): Missing a required claim"),
    ],
)
def test_a_token_is_denied_as_eks_auth_does(
    sandbox: Sandbox, pod: Pod, arguments: dict[str, Any], status: int, text: str
) -> None:
    response = ask(sandbox, pod.token(**arguments))
    assert response.status == status
    assert text in response.body.decode()


def test_without_a_token_or_at_another_path_there_is_nothing(sandbox: Sandbox, pod: Pod) -> None:
    del pod
    assert ask(sandbox, "").status == 400
    assert ask(sandbox, "", "/other").status == 404
    assert [call.outcome for call in sandbox.sts_calls] == ["Invalid"]


def test_an_association_may_be_removed(sandbox: Sandbox, pod: Pod) -> None:
    credentials(sandbox, pod)
    sandbox.associate("shop", "reports", None)
    assert ask(sandbox, pod.token_file.read_text()).status == 404


def policy(**statement: Any) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            **statement,
        },
    }


@pytest.mark.parametrize(
    ("trust", "status"),
    [
        (policy(Action="sts:AssumeRole"), 400),
        (policy(Principal={"Service": "ec2.amazonaws.com"}), 400),
        (policy(Condition={"StringEquals": {"aws:RequestTag/kubernetes-namespace": "shop"}}), 200),
        (policy(Condition={"StringEquals": {"aws:RequestTag/kubernetes-namespace": "x"}}), 400),
        (policy(Condition={"StringEquals": {"aws:RequestTag/eks-cluster-name": "sandbox"}}), 200),
        (policy(Condition={"StringEquals": {"aws:SourceAccount": "123456789012"}}), 200),
        (policy(Condition={"ArnLike": {"aws:SourceArn": "arn:aws:eks:*:*:cluster/sandbox"}}), 200),
        (policy(Condition={"StringEquals": {"sts:ExternalId": "1"}}), 400),
        (policy(Condition={"StringEquals": {"issuer.example:sub": "1"}}), 400),
        (policy(Condition={"StringEquals": {"aws:RequestTag/kubernetes-pod-uid": "1"}}), 501),
    ],
)
def test_the_trust_policy_decides(sandbox: Sandbox, trust: dict[str, Any], status: int) -> None:
    pod = sandbox.deploy("shop", "reports", pod_identity=True, trust_policy=trust)
    assert ask(sandbox, pod.token_file.read_text()).status == status


@pytest.mark.parametrize("outage", sorted({*OUTAGES} - {"black hole", "reset", "refuse"}))
def test_no_outage_gives_valid_credentials(sandbox: Sandbox, pod: Pod, outage: str) -> None:
    sandbox.faults.outage = outage
    sandbox.faults.drip_interval = 0
    response = ask(sandbox, pod.token_file.read_text())
    if outage in {"slow drip", "header drip", "expired"}:
        assert response.status == 200
        return
    try:
        found = json.loads(response.body)
    except ValueError:
        found = {}
    assert not {"SecretAccessKey", "Token"} & found.keys()


def test_an_injected_error_is_worded_as_the_agent_does(sandbox: Sandbox, pod: Pod) -> None:
    sandbox.faults.fail("ThrottlingException", times=1)
    response = ask(sandbox, pod.token_file.read_text())
    assert response.status == 429
    assert "(ThrottlingException): Rate exceeded, fault: client" in response.body.decode()
    assert credentials(sandbox, pod)["AccessKeyId"]
