"""Problems of pods, and the ids that report them.

All that fails or warns is named: nothing else may be found in that pod.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diagnosis.sample_pod import EKS, NOW, ROLE, SECRET, jwt

NO_IRSA = {"AWS_ROLE_ARN": None, "AWS_WEB_IDENTITY_TOKEN_FILE": None}
CEPH = {"AWS_ENDPOINT_URL_STS": "https://ceph.example.com"}
NO_REGION = {"AWS_REGION": None, "AWS_DEFAULT_REGION": None}
API_SERVER = "https://kubernetes.default.svc"
POD_IDENTITY = {
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/var/run/secrets/pods.eks.amazonaws.com/t",
}


@dataclass(frozen=True)
class Case:
    """A pod that is not sound.

    Attributes:
        title: what is wrong.
        told: each id that fails or warns, like "F01 fail".
        changes: what distinguishes it from a sound one.
        hint: words that message or fix of the first must have.
    """

    title: str
    expected: str
    changes: dict[str, Any]
    hint: str = ""


def case(title: str, expected: str, hint: str = "", **changes: Any) -> Case:
    return Case(title, expected, changes, hint)


def env(title: str, expected: str, hint: str = "", **environ: str | None) -> Case:
    return Case(title, expected, {"environ": environ}, hint)


def claims(title: str, expected: str, hint: str = "", **changed: Any) -> Case:
    return Case(title, expected, {"claims": changed}, hint)


def profile(title: str, expected: str, hint: str, config: str, **changes: Any) -> Case:
    return Case(title, expected, {"config": config, **changes}, hint)


ENVIRONMENT = [
    case(
        "nothing is injected",
        "E01 fail",
        "annotate --overwrite serviceaccount app",
        environ=NO_IRSA,
    ),
    env("both are empty", "E01 fail", AWS_ROLE_ARN="", AWS_WEB_IDENTITY_TOKEN_FILE=""),
    case(
        "nothing is set, and this is no pod",
        "E01 fail",
        "export AWS_ROLE_ARN",
        environ={**NO_IRSA, "KUBERNETES_SERVICE_HOST": None},
        account=None,
    ),
    case(
        "a pod without an API token of its own",
        "E01 fail",
        "serviceaccount SERVICE_ACCOUNT --namespace NAMESPACE",
        environ=NO_IRSA,
        account=None,
    ),
    env(
        "the role alone",
        "E02 fail",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        AWS_WEB_IDENTITY_TOKEN_FILE=None,
    ),
    env("the role, and an empty path", "E02 fail", AWS_WEB_IDENTITY_TOKEN_FILE=""),
    env("the token alone", "E02 fail", "no role is", AWS_ROLE_ARN=None),
    env("the token, and an empty role", "E02 fail", AWS_ROLE_ARN=""),
    env("Pod Identity too", "E03 warn", "delete-pod-identity-association", **POD_IDENTITY),
    env(
        "Pod Identity over IPv6 too",
        "E03 warn",
        "EKS Pod Identity",
        AWS_CONTAINER_CREDENTIALS_FULL_URI="http://[fd00:ec2::23]/v1/credentials",
    ),
    case(
        "Pod Identity only, without its token",
        "A02 fail",
        "does not exist",
        environ={**NO_IRSA, **POD_IDENTITY},
    ),
    case(
        "Pod Identity after a profile's keys",
        "A02 fail, C01 fail",
        environ={**NO_IRSA, **POD_IDENTITY},
        config="[default]\naws_access_key_id = a\naws_secret_access_key = b\n",
    ),
    case(
        "Pod Identity, and its own switch",
        "A01 warn, A02 fail",
        "unset IRSA_CREDS_CONTAINER",
        environ={**NO_IRSA, **POD_IDENTITY, "IRSA_CREDS_CONTAINER": "0"},
    ),
    case(
        "Pod Identity at a host that plain HTTP is not for",
        "A01 fail",
        "unset AWS_CONTAINER_CREDENTIALS_FULL_URI",
        environ={**NO_IRSA, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://10.0.0.1/"},
    ),
    env(
        "a task role of ECS too",
        "E03 warn",
        "unset AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="/v2/credentials/1",
    ),
    env(
        "some other endpoint for credentials too",
        "E03 warn",
        AWS_CONTAINER_CREDENTIALS_FULL_URI="http://localhost:51679/x",
    ),
    env(
        "an endpoint that is no URL",
        "E04 fail",
        "unset AWS_ENDPOINT_URL_STS",
        AWS_ENDPOINT_URL_STS="sts.example.com",
    ),
    env("an endpoint with a password", "E04 fail", AWS_ENDPOINT_URL_STS="https://u:p@sts.example"),
    env("an empty CA bundle", "E04 fail", AWS_CA_BUNDLE=" "),
    env("neither regional nor legacy", "E04 fail", AWS_STS_REGIONAL_ENDPOINTS="global"),
    profile("a lifetime of a day", "E04 fail", "900", "[default]\nduration_seconds = 86400\n"),
    profile(
        "services that are not there", "E04 fail", "section", "[default]\nservices = nowhere\n"
    ),
]

FILES = [
    case("the volume is not mounted", "F01 fail", "does not exist", volume="none"),
    env("a path with a typo", "F01 fail", "ls -la", AWS_WEB_IDENTITY_TOKEN_FILE="{volume}/tokne"),
    env("a path in a tilde", "F01 fail", "export", AWS_WEB_IDENTITY_TOKEN_FILE="~/token"),
    env("a path in quotes", "F01 fail", AWS_WEB_IDENTITY_TOKEN_FILE='"{volume}/token"'),
    env(
        "a path with a blank at its end", "F01 fail", AWS_WEB_IDENTITY_TOKEN_FILE="{volume}/token "
    ),
    env("a URL for a path", "F01 fail", AWS_WEB_IDENTITY_TOKEN_FILE="file://{volume}/token"),
    env(
        "the token itself",
        "F01 fail",
        "contains a token",
        AWS_WEB_IDENTITY_TOKEN_FILE=jwt({"a": 1}),
    ),
    env("an opaque token itself", "F01 fail", AWS_WEB_IDENTITY_TOKEN_FILE=SECRET),
    env("a path below a file", "F01 fail", AWS_WEB_IDENTITY_TOKEN_FILE="{volume}/token/token"),
    case(
        "root's file, asked for by another user",
        "F02 fail",
        "fsGroup",
        read_error=PermissionError(13, "Permission denied"),
    ),
    case(
        "the same outside of a pod",
        "F02 fail",
        "ls -l",
        read_error=PermissionError(13, "Permission denied"),
        environ={"KUBERNETES_SERVICE_HOST": None},
        account=None,
    ),
    case("a broken disk", "F02 fail", "error", read_error=OSError(5, "Input/output error")),
    case("an empty file", "F03 fail", "is empty", content=""),
    case("blanks alone", "F03 fail", "is empty", content=" \n"),
    env("a directory, as subPath makes one", "F03 fail", AWS_WEB_IDENTITY_TOKEN_FILE="{volume}"),
    env("a device", "F03 fail", "a device", AWS_WEB_IDENTITY_TOKEN_FILE="/dev/null"),
    case("no JWT", "F03 fail", "no JWT", content="opaque"),
    case("half a JWT", "F03 fail", "2 segments", content="eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIifQ"),
    case("an encrypted one", "F03 fail", "5 segments", content="a.b.c.d.e"),
    case("a JWT whose claims are no object", "F03 fail", content="e30.W10.x"),
    case("in quotes", "F03 fail", content='"{token}"'),
    case("with Bearer before it", "F03 fail", content="Bearer {token}"),
    case("JSON around it", "F03 fail", content='{"token": "{token}"}'),
    case("a line end behind it", "F03 warn", "printf %s", content="{token}\n"),
    case("blanks before it", "F03 warn", content="  {token}"),
    case("two tokens", "F03 fail", "line breaks", content="{token}\n{token}"),
    case("a byte order mark", "F03 fail", "byte order mark", content=b"\xef\xbb\xbfabc"),
    case("UTF-16", "F03 fail", content="e30.e30.x".encode("utf-16")),
    case("bytes", "F03 fail", "UTF-8", content=b"\x80\x81"),
    case("far too long", "F03 fail", "20,000", content="x" * 20_001),
    claims("the API server's audience", "F04 fail", "API server", aud=[API_SERVER]),
    claims("that with the cluster's domain", "F04 fail", aud=[f"{API_SERVER}.cluster.local"]),
    claims("the issuer as audience", "F04 fail", "by its audience", aud=[EKS]),
    claims("k3s' audiences", "F04 fail", aud=[f"{API_SERVER}.cluster.local", "k3s"]),
    case(
        "the API server's path",
        "F04 fail, T03 warn",
        "by its path",
        directory="kubernetes.io/serviceaccount",
        claims={"aud": ["vault"]},
    ),
    case(
        "a Secret's legacy token",
        "F04 fail, F05 warn, T01 fail, T03 fail, T04 fail",
        "Secret",
        only=True,
        volume="plain",
        claims={
            "iss": "kubernetes/serviceaccount",
            "kubernetes.io/serviceaccount/namespace": "prod",
            "sub": "system:serviceaccount:prod:app",
        },
    ),
    case(
        "the API server's token for another STS",
        "F04 warn",
        environ=CEPH,
        claims={"aud": [API_SERVER]},
    ),
    case("mounted by subPath", "F05 fail", "subPath", volume="subpath"),
    case("a copy of the token", "F05 warn", "projected volume", volume="plain"),
    claims(
        "no rotation for 20 hours",
        "F05 warn",
        "rotated",
        iat=int(NOW) - 72_000,
        exp=int(NOW) + 14_400,
    ),
    claims(
        "a week's token, 25 hours old",
        "F05 warn",
        "kubelet",
        iat=int(NOW) - 90_000,
        exp=int(NOW) + 514_800,
    ),
    claims("an hour's token, 55 minutes old", "F05 warn", iat=int(NOW) - 3_300, exp=int(NOW) + 300),
]

TOKENS = [
    claims("expired", "T01 fail, F05 warn", "expired", iat=int(NOW) - 86_500, exp=int(NOW) - 100),
    case("expired in a copy", "T01 fail, F05 warn", volume="plain", claims={"exp": int(NOW) - 100}),
    case("expired under subPath", "T01 fail, F05 fail", volume="subpath", claims={"exp": int(NOW)}),
    case("this clock is a week ahead", "T01 fail, F05 warn", "date -u", clock=604_800),
    claims("no expiry", "T01 fail", exp=None),
    claims("an expiry that is text", "T01 fail", exp="2026-11-25"),
    claims("an expiry beyond all dates", "T01 fail", exp=10**30),
    claims("a true expiry", "T01 fail", exp=True),
    case("this clock is an hour behind", "T02 fail", "clock", clock=-3_600 - 600),
    case("this clock is two minutes behind", "T02 warn", clock=-120 - 600),
    claims("not valid before tomorrow", "T02 fail", nbf=int(NOW) + 80_000),
    claims("Pod Identity's audience", "T03 fail", "Pod Identity", aud=["pods.eks.amazonaws.com"]),
    claims("sts.amazon.com", "T03 fail", "sts.amazonaws.com", aud=["sts.amazon.com"]),
    claims("a letter missing", "T03 fail", aud=["sts.amazonaws.co"]),
    claims("with a scheme", "T03 fail", aud=["https://sts.amazonaws.com"]),
    claims("with a slash", "T03 fail", aud=["sts.amazonaws.com/"]),
    claims("in capitals", "T03 fail", aud=["STS.AMAZONAWS.COM"]),
    claims("a blank behind it", "T03 fail", aud=["sts.amazonaws.com "]),
    claims("another system's", "T03 warn", "not sts.amazonaws.com: the IAM", aud=["vault"]),
    claims("two other systems'", "T03 warn", "audience: sts.amazon", aud=["vault", "my-company"]),
    claims("dots doubled", "T03 fail", aud=["sts..amazonaws.com"]),
    claims("no audience", "T03 fail", "no audience", aud=None),
    claims("an empty list of audiences", "T03 fail", aud=[]),
    claims("a number for an audience", "T03 fail", aud=1),
    claims("a local issuer", "T04 fail", iss="https://kubernetes.default.svc.cluster.local"),
    claims("a short local issuer", "T04 fail", iss="https://kubernetes.default.svc"),
    claims("plain http", "T04 fail", "https", iss="http://oidc.example.com"),
    claims("no scheme", "T04 fail", iss="oidc.example.com/id/1"),
    claims("localhost", "T04 fail", "inside the cluster", iss="https://localhost:8443"),
    claims("a private address", "T04 fail", "private", iss="https://10.0.0.1:6443"),
    claims("a private IPv6 address", "T04 fail", "private", iss="https://[fd00::1]:6443"),
    claims("no URL at all", "T04 fail", "not a URL", iss="https://[oidc"),
    claims("an internal name", "T04 fail", iss="https://oidc.corp.internal"),
    claims("no issuer", "T04 fail", iss=None),
    claims(
        "the default account",
        "T05 warn",
        "serviceAccountName",
        sub="system:serviceaccount:a:default",
    ),
    claims("a node's subject", "T05 warn", sub="system:node:ip-10-0-0-1.ec2.internal"),
    claims("a subject without a namespace", "T05 warn", sub="system:serviceaccount:app"),
    claims("no subject", "T05 fail", sub=None),
    claims("an empty subject", "T05 fail", sub=""),
]

ROLES = [
    env("a name for an ARN", "R01 fail", "begins with 'arn:'", AWS_ROLE_ARN="app"),
    env("a user's ARN", "R01 fail", AWS_ROLE_ARN="arn:aws:iam::123456789012:user/app"),
    env("a policy's ARN", "R01 fail", AWS_ROLE_ARN="arn:aws:iam::123456789012:policy/app"),
    env("an instance profile", "R01 fail", AWS_ROLE_ARN=ROLE.replace("role/", "instance-profile/")),
    env("a session's ARN", "R01 fail", AWS_ROLE_ARN="arn:aws:sts::123456789012:assumed-role/a/b"),
    env("eleven digits", "R01 fail", "12 digits", AWS_ROLE_ARN="arn:aws:iam::12345678901:role/app"),
    env("a placeholder", "R01 fail", AWS_ROLE_ARN="arn:aws:iam::${ACCOUNT_ID}:role/app"),
    env("in quotes", "R01 fail", "quotes", AWS_ROLE_ARN=f'"{ROLE}"'),
    env("a blank behind it", "R01 fail", "blanks", AWS_ROLE_ARN=f"{ROLE} "),
    env(
        "a region in it", "R01 fail", AWS_ROLE_ARN="arn:aws:iam:eu-central-1:123456789012:role/app"
    ),
    env("a colon too few", "R01 fail", AWS_ROLE_ARN="arn:aws:iam:123456789012:role/app"),
    env("no name behind it", "R01 fail", AWS_ROLE_ARN="arn:aws:iam::123456789012:role/"),
    env(
        "aws in China",
        "R02 fail",
        "aws-cn",
        AWS_REGION="cn-north-1",
        AWS_DEFAULT_REGION="cn-north-1",
    ),
    env(
        "aws in GovCloud",
        "R02 fail",
        AWS_REGION="us-gov-west-1",
        AWS_DEFAULT_REGION="us-gov-west-1",
    ),
    env("China's role elsewhere", "R02 fail", AWS_ROLE_ARN=ROLE.replace("aws", "aws-cn")),
    env("GovCloud's role elsewhere", "R02 fail", AWS_ROLE_ARN=ROLE.replace("aws", "aws-us-gov")),
    case(
        "China's role and no region at all",
        "R02 fail, V02 warn",
        "no region",
        environ={**NO_REGION, "AWS_ROLE_ARN": ROLE.replace("aws", "aws-cn")},
        claims={"iss": "https://oidc.example.com"},
    ),
    env("a name of one letter", "R03 fail", AWS_ROLE_SESSION_NAME="a"),
    env("a name with a slash", "R03 fail", AWS_ROLE_SESSION_NAME="prod/app"),
    env("a name with a blank", "R03 fail", AWS_ROLE_SESSION_NAME="my app"),
    env("a name of 65 letters", "R03 fail", AWS_ROLE_SESSION_NAME="a" * 65),
    env("an empty name", "R03 fail", AWS_ROLE_SESSION_NAME=""),
]

SOURCED = "[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/dev\n"
DEV = {"AWS_PROFILE": "dev"}

CHAIN = [
    env(
        "keys",
        "C01 fail",
        "unset AWS_ACCESS_KEY_ID",
        AWS_ACCESS_KEY_ID="AKIA",
        AWS_SECRET_ACCESS_KEY=SECRET,
    ),
    env(
        "a key without its secret", "C01 fail", "PartialCredentialsError", AWS_ACCESS_KEY_ID="AKIA"
    ),
    case(
        "expired keys of yesterday",
        "C01 fail",
        "AWS_SESSION_TOKEN",
        environ={
            "AWS_ACCESS_KEY_ID": "ASIA",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SESSION_TOKEN": SECRET,
        },
    ),
    env("a profile that is nowhere", "C01 fail", "unset AWS_PROFILE", AWS_PROFILE="nowhere"),
    env(
        "the older variable of that",
        "C01 fail",
        "unset AWS_DEFAULT_PROFILE",
        AWS_DEFAULT_PROFILE="x",
    ),
    profile("a file that does not parse", "C01 fail", "line 1", "no section\n"),
    case("a credentials file that does not parse", "C01 fail", credentials="no section\n"),
    profile(
        "a role by static keys",
        "C01 fail",
        "assumes the role",
        f"{SOURCED}source_profile = keys\n[profile keys]\naws_access_key_id = AKIA\n"
        f"aws_secret_access_key = {SECRET}\n",
        environ=DEV,
    ),
    profile(
        "a role of the default profile",
        "C01 fail",
        "remove role_arn",
        f"[default]\nrole_arn = {ROLE}\ncredential_source = Ec2InstanceMetadata\n",
    ),
    profile("a role with no source", "C01 fail", "no source_profile", SOURCED, environ=DEV),
    profile(
        "a role with two sources",
        "C01 fail",
        "both",
        f"{SOURCED}source_profile = x\ncredential_source = Environment\n",
        environ=DEV,
    ),
    profile(
        "Session(profile_name=) with single sign-on",
        "C01 fail, E01 fail",
        "single sign-on",
        "[profile dev]\nsso_account_id = 1\nsso_role_name = x\n",
        profile="dev",
    ),
    profile(
        "Session(profile_name=) with half of single sign-on",
        "C01 fail, E01 fail",
        "single sign-on",
        "[profile dev]\nsso_role_name = x\n",
        profile="dev",
    ),
    profile(
        "Session(profile_name=) with keys",
        "C01 fail, E01 fail",
        "its key",
        f"[profile dev]\naws_access_key_id = AKIA\naws_secret_access_key = {SECRET}\n",
        profile="dev",
    ),
    profile(
        "Session(profile_name=) with a login",
        "C01 fail, E01 fail",
        "its login",
        "[profile dev]\nlogin_session = x\n",
        profile="dev",
    ),
    profile(
        "Session(profile_name=) with a process",
        "C01 fail, E01 fail",
        "credential_process",
        "[profile dev]\ncredential_process = /bin/x\n",
        profile="dev",
    ),
    profile(
        "Session(profile_name=) with a region alone",
        "C01 fail, E01 fail",
        "the node's role",
        "[profile dev]\nregion = eu-central-1\n",
        profile="dev",
    ),
    case("Session(profile_name=) of no profile", "C01 fail", "argument", profile="nowhere"),
    env("ours is switched off", "C01 warn", "IRSA_CREDS_DISABLE", IRSA_CREDS_DISABLE="1"),
    profile("a process", "C02 warn", "never runs", "[default]\ncredential_process = /bin/x\n"),
    profile(
        "a process of a named profile",
        "C02 warn",
        "the web identity",
        "[profile dev]\ncredential_process = /bin/x\n",
        environ=DEV,
    ),
    profile(
        "a process of irsa-creds for another role",
        "C02 warn",
        "the web identity",
        "[profile dev]\ncredential_process = irsa-creds process --role-arn x\n",
        environ=DEV,
    ),
    profile(
        "Session(profile_name=) with a process of irsa-creds and a key",
        "C01 fail, C02 warn, E01 fail",
        "its key",
        "[profile dev]\ncredential_process = irsa-creds process\n",
        credentials=f"[dev]\naws_access_key_id = AKIA\naws_secret_access_key = {SECRET}\n",
        profile="dev",
    ),
    profile(
        "Session(profile_name=) with a process of irsa-creds without a web identity",
        "E01 fail",
        "no role annotation",
        "[profile dev]\ncredential_process = irsa-creds process\n",
        environ=NO_IRSA,
        profile="dev",
    ),
    profile(
        "a process behind keys in the same profile",
        "C02 warn, E01 fail",
        "own key",
        "[default]\ncredential_process = /bin/x\n",
        credentials=f"[default]\naws_access_key_id = AKIA\naws_secret_access_key = {SECRET}\n",
        environ=NO_IRSA,
    ),
    profile(
        "a process behind the environment's keys",
        "C02 warn, C01 fail",
        "environment",
        "[default]\ncredential_process = /bin/x\n",
        environ={"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": SECRET},
    ),
    profile(
        "a process behind a role",
        "C02 warn, C01 fail",
        "own role",
        f"{SOURCED}credential_source = Environment\ncredential_process = /bin/x\n",
        environ=DEV,
    ),
]

VERSIONS = [
    case("an old botocore", "V01 fail", "botocore>=1.40.61", versions={"botocore": "1.40.60"}),
    case("a very old botocore", "V01 fail", versions={"botocore": "1.9.227"}),
    case("no botocore", "V01 fail", "not installed", versions={"botocore": None}),
    case("an old aiobotocore", "V01 fail", versions={"aiobotocore": "2.25.0"}),
    case("an old filelock", "V01 warn", "shared cache", versions={"filelock": "3.29.0"}),
    case("no region", "V02 warn", "export AWS_REGION=eu-central-1", environ=NO_REGION),
    case(
        "no region, and none in the issuer",
        "V02 warn",
        "global endpoint",
        environ=NO_REGION,
        claims={"iss": "https://oidc.example.com"},
    ),
    env("a region with a blank", "V02 fail", AWS_REGION="eu central 1"),
    env("a zone's quotes", "V02 fail", AWS_REGION='"eu-central-1"'),
    env("a malformed default", "V02 fail", AWS_REGION=None, AWS_DEFAULT_REGION="eu_central_1"),
    env("AWS_REGION alone", "V02 warn", "NoRegionError", AWS_DEFAULT_REGION=None),
    env(
        "no region, and an endpoint that needs none",
        "V02 warn",
        "but boto3 clients of most services will fail with NoRegionError",
        **NO_REGION,
        AWS_ENDPOINT_URL_STS="https://ceph.example.com",
    ),
    env("two regions", "V02 warn", "AWS_DEFAULT_REGION", AWS_DEFAULT_REGION="us-east-1"),
]

MISCONFIGURED = [*ENVIRONMENT, *FILES, *TOKENS, *ROLES, *CHAIN, *VERSIONS]
