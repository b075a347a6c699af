from __future__ import annotations

import json
from email.message import Message
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from irsa_creds.testing import UnsupportedPolicyError
from irsa_creds.testing._s3 import s3_permissions
from irsa_creds.testing._server import Request
from testing.sandbox_http import ONE_TRY, Response, http

if TYPE_CHECKING:
    from collections.abc import Callable

    from irsa_creds.testing import Sandbox
    from testing.sandbox_http import MovableClock

    Exchange = Callable[..., Response]


@pytest.fixture
def s3(exchange: Exchange, client_of: Callable[..., Any]) -> Any:
    return client_of(exchange())


def error_of(call: Callable[..., Any], **arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    error = response["Error"]
    return response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


def test_a_pod_reads_and_writes_its_own_bucket(s3: Any) -> None:
    s3.put_object(Bucket="data", Key="a b/ü+1", Body=b"content", Metadata={"k": "v"})
    response = s3.get_object(Bucket="data", Key="a b/ü+1")
    assert (response["Body"].read(), response["Metadata"]) == (b"content", {"k": "v"})
    assert s3.head_object(Bucket="data", Key="a b/ü+1")["ContentLength"] == 7
    s3.copy_object(Bucket="data", Key="copy", CopySource={"Bucket": "data", "Key": "a b/ü+1"})
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="data", Prefix="")["Contents"]]
    assert keys == ["a b/ü+1", "copy"]
    s3.delete_objects(Bucket="data", Delete={"Objects": [{"Key": "copy"}]})
    s3.delete_object(Bucket="data", Key="a b/ü+1")
    assert s3.list_objects_v2(Bucket="data")["KeyCount"] == 0


def test_a_large_object_is_uploaded_in_parts(s3: Any) -> None:
    upload = s3.create_multipart_upload(Bucket="data", Key="big")["UploadId"]
    common = {"Bucket": "data", "Key": "big", "UploadId": upload}
    part = s3.upload_part(**common, PartNumber=1, Body=b"x" * 6_000_000)
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    s3.complete_multipart_upload(**common, MultipartUpload={"Parts": parts})
    assert s3.head_object(Bucket="data", Key="big")["ContentLength"] == 6_000_000


def test_a_pod_cannot_use_another_bucket(s3: Any, sandbox: Sandbox) -> None:
    sandbox.client("s3").create_bucket(Bucket="other")
    status, code, message = error_of(s3.get_object, Bucket="other", Key="k")
    assert (status, code) == (403, "AccessDenied")
    assert message == (
        "User: arn:aws:sts::123456789012:assumed-role/app-role/app-0 is not authorized to perform:"
        ' s3:GetObject on resource: "arn:aws:s3:::other/k" because no identity-based policy allows'
        " the s3:GetObject action"
    )
    assert error_of(s3.list_buckets)[1] == "AccessDenied"
    source = {"Bucket": "other", "Key": "k"}
    assert error_of(s3.copy_object, Bucket="data", Key="k", CopySource=source)[1] == "AccessDenied"


def test_attached_policies_count_as_inline_ones_do(s3: Any, sandbox: Sandbox) -> None:
    iam = sandbox.client("iam")
    statement = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
    made = iam.create_policy(
        PolicyName="list",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
    )
    iam.attach_role_policy(RoleName="app-role", PolicyArn=made["Policy"]["Arn"])
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["data"]


def test_a_deleted_role_has_no_permissions(s3: Any, sandbox: Sandbox) -> None:
    iam = sandbox.client("iam")
    iam.delete_role_policy(RoleName="app-role", PolicyName="permissions")
    iam.delete_role(RoleName="app-role")
    assert error_of(s3.list_objects_v2, Bucket="data")[1] == "AccessDenied"


def test_expired_credentials_are_denied(s3: Any, clock: MovableClock) -> None:
    s3.list_objects_v2(Bucket="data")
    clock.ahead += 3601
    expected = 400, "ExpiredToken", "The provided token has expired."
    assert error_of(s3.list_objects_v2, Bucket="data") == expected
    assert error_of(s3.head_bucket, Bucket="data") == (400, "400", "Bad Request")


def test_a_short_lifetime_is_exact_to_the_second(
    exchange: Exchange, sandbox: Sandbox, clock: MovableClock, client_of: Callable[..., Any]
) -> None:
    sandbox.lifetime = 100.0
    s3 = client_of(exchange())
    clock.ahead += 90
    s3.list_objects_v2(Bucket="data")
    clock.ahead += 10
    assert error_of(s3.list_objects_v2, Bucket="data")[1] == "ExpiredToken"


def test_credentials_can_be_expired_by_the_test(s3: Any, sandbox: Sandbox) -> None:
    sandbox.expire_credentials()
    assert error_of(s3.list_objects_v2, Bucket="data")[1] == "ExpiredToken"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"aws_access_key_id": "ASIAUNKNOWNUNKNOWN00"},
            (
                403,
                "InvalidAccessKeyId",
                "The AWS Access Key Id you provided does not exist in our records.",
            ),
        ),
        (
            {"aws_session_token": "another"},
            (400, "InvalidToken", "The provided token is malformed or otherwise invalid."),
        ),
        (
            {"aws_session_token": None},
            (400, "InvalidToken", "The provided token is malformed or otherwise invalid."),
        ),
        (
            {"aws_secret_access_key": "another"},
            (
                403,
                "SignatureDoesNotMatch",
                (
                    "The request signature we calculated does not match the signature you "
                    "provided. Check your key and signing method."
                ),
            ),
        ),
    ],
)
def test_credentials_must_be_complete_and_known(
    exchange: Exchange,
    client_of: Callable[..., Any],
    changes: dict[str, Any],
    expected: tuple[int, str, str],
) -> None:
    assert error_of(client_of(exchange(), **changes).list_objects_v2, Bucket="data") == expected


@pytest.mark.parametrize("config", [ONE_TRY, Config(signature_version="s3v4")], ids=["v2", "v4"])
def test_a_presigned_url_works_until_it_expires(
    config: Config,
    exchange: Exchange,
    client_of: Callable[..., Any],
    sandbox: Sandbox,
    clock: MovableClock,
) -> None:
    s3 = client_of(exchange(), config=config)
    s3.put_object(Bucket="data", Key="k", Body=b"content")
    url = s3.generate_presigned_url("get_object", {"Bucket": "data", "Key": "k"}, ExpiresIn=60)
    target = url.removeprefix(sandbox.endpoint_url)
    assert http(sandbox.endpoint_url, path=target).body == b"content"
    tampered = http(sandbox.endpoint_url, path=target.replace("/k?", "/other?"))
    assert tampered["Code"] == "SignatureDoesNotMatch"
    clock.ahead += 61
    late = http(sandbox.endpoint_url, path=target)
    assert (late.status, late["Code"], late["Message"]) == (
        403,
        "AccessDenied",
        "Request has expired",
    )


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Signature=ab",
        "X-Amz-Signature=ab&X-Amz-Credential=a/b/c/s3/aws4_request",
        "X-Amz-Signature=ab&X-Amz-Credential=a/b/c/s3/aws4_request&X-Amz-Date=20260101T000000Z",
    ],
)
def test_a_malformed_presigned_url_is_an_error(sandbox: Sandbox, query: str) -> None:
    response = http(sandbox.endpoint_url, path=f"/data/k?{query}")
    assert response["Code"] == "AuthorizationQueryParametersError"


def test_an_unsigned_request_is_denied(sandbox: Sandbox) -> None:
    response = http(sandbox.endpoint_url, path="/data/k")
    assert (response.status, response["Code"]) == (403, "AccessDenied")
    assert response["HostId"]
    assert sandbox.s3_identities[-1].access_key_id is None


def test_a_presigned_url_of_boto3s_default_in_us_east_1_works(
    exchange: Exchange, client_of: Callable[..., Any], sandbox: Sandbox
) -> None:
    s3 = client_of(exchange())
    url = s3.generate_presigned_url(
        "put_object", {"Bucket": "data", "Key": "a b/ü", "ContentType": "text/plain"}
    )
    assert "Signature=" in url
    assert "X-Amz-Signature" not in url
    target = url.removeprefix(sandbox.endpoint_url)
    plain = {"Content-Type": "text/plain"}
    assert http(sandbox.endpoint_url, "PUT", target, b"content", headers=plain).status == 200
    assert s3.get_object(Bucket="data", Key="a b/ü")["Body"].read() == b"content"
    url = s3.generate_presigned_url(
        "get_object", {"Bucket": "data", "Key": "a b/ü", "ResponseContentType": "text/csv"}
    )
    read = http(sandbox.endpoint_url, path=url.removeprefix(sandbox.endpoint_url))
    assert read.body == b"content"


def test_signature_version_2_in_a_header_is_an_error(sandbox: Sandbox) -> None:
    response = http(sandbox.endpoint_url, headers={"Authorization": "AWS AKIA:abc"})
    assert (response.status, response["Code"]) == (400, "InvalidRequest")
    assert "Please use AWS4-HMAC-SHA256." in (response["Message"] or "")


@pytest.mark.parametrize("rest", ["", "&Signature=ab", "&Signature=ab&Expires=soon", "&Expires=1"])
def test_a_malformed_presigned_url_of_version_2_is_an_error(rest: str, sandbox: Sandbox) -> None:
    response = http(sandbox.endpoint_url, path=f"/data/k?AWSAccessKeyId=AKIA{rest}")
    assert (response.status, response["Code"]) == (403, "AccessDenied")
    assert "Query-string authentication requires" in (response["Message"] or "")


def test_signature_version_2_of_another_service_is_an_error(sandbox: Sandbox) -> None:
    query = "AWSAccessKeyId=AKIA&SignatureVersion=2&Signature=abc&Expires=1"
    response = http(sandbox.endpoint_url, path=f"/?Action=ListRoles&{query}")
    assert response["Code"] == "InvalidRequest"


def test_an_unsupported_service_is_an_error(
    exchange: Exchange, client_of: Callable[..., Any]
) -> None:
    queue = client_of(exchange(), "dynamodb")
    status, _, _ = error_of(queue.list_tables)
    assert status == 501


def test_an_unknown_request_is_named_in_the_error(s3: Any) -> None:
    status, code, message = error_of(s3.get_bucket_cors, Bucket="data")
    assert (status, code) == (501, "NotImplemented")
    assert "the IAM action of GET bucket?cors" in message


def test_the_callers_of_s3_are_recorded(s3: Any, sandbox: Sandbox, clock: MovableClock) -> None:
    s3.list_objects_v2(Bucket="data")
    clock.ahead += 3601
    error_of(s3.list_objects_v2, Bucket="data")
    valid, late = sandbox.s3_identities[-2:]
    assert valid.arn == "arn:aws:sts::123456789012:assumed-role/app-role/app-0"
    assert valid.access_key_id == late.access_key_id == sandbox.sts_calls[-1].access_key_id
    assert (valid.method, valid.path, valid.status) == ("GET", "/data", 200)
    assert (late.arn, late.status) == (None, 400)
    assert valid.at < late.at


@pytest.mark.parametrize(
    ("method", "target", "permission"),
    [
        ("GET", "/", ("s3:ListAllMyBuckets", "*")),
        ("GET", "/b", ("s3:ListBucket", "arn:aws:s3:::b")),
        ("HEAD", "/b/", ("s3:ListBucket", "arn:aws:s3:::b")),
        ("GET", "/b?list-type=2&prefix=x", ("s3:ListBucket", "arn:aws:s3:::b")),
        ("PUT", "/b", ("s3:CreateBucket", "arn:aws:s3:::b")),
        ("GET", "/b?location", ("s3:GetBucketLocation", "arn:aws:s3:::b")),
        ("POST", "/b?delete", ("s3:DeleteObject", "arn:aws:s3:::b/*")),
        ("GET", "/b/a%20b/c", ("s3:GetObject", "arn:aws:s3:::b/a b/c")),
        ("PUT", "/b/k?partNumber=1&uploadId=x", ("s3:PutObject", "arn:aws:s3:::b/k")),
        ("DELETE", "/b/k?uploadId=x", ("s3:AbortMultipartUpload", "arn:aws:s3:::b/k")),
        ("PUT", "/b/k?tagging", ("s3:PutObjectTagging", "arn:aws:s3:::b/k")),
    ],
)
def test_a_request_needs_its_iam_action(
    method: str, target: str, permission: tuple[str, str]
) -> None:
    path, _, query = target.partition("?")
    request = Request(method, path, query, Message(), b"")
    assert list(s3_permissions(request, "aws")) == [permission]


def test_an_unknown_method_is_named_in_the_error() -> None:
    request = Request("PATCH", "/b/k", "", Message(), b"")
    with pytest.raises(UnsupportedPolicyError, match="PATCH object"):
        list(s3_permissions(request, "aws"))
