"""Generate a correct trust policy, and Kubernetes objects that use the role."""

from __future__ import annotations

import json
import re
from typing import Any

from irsa_creds._errors import ConfigError
from irsa_creds._identity.arns import role_arn as checked_role_arn
from irsa_creds._identity.claims import STS
from irsa_creds._masking import JWT, quoted

__all__ = [
    "ACTION",
    "checked_audience",
    "manifest",
    "names_of",
    "provider_in",
    "statement",
    "trust_policy",
]

#: The action that a trust policy must allow.
ACTION = "sts:AssumeRoleWithWebIdentity"
# Names by RFC 1123: a namespace is a label, a service account a subdomain.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PART = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_SUBDOMAIN = rf"(?=.{{1,253}}\Z){_PART}(?:\.{_PART})*"
_PARTITION = r"aws(?:-[a-z0-9]+)*"
# The URL of a provider: https, no query (IAM API Reference, CreateOpenIDConnectProvider).
_ISSUER = r"https://[A-Za-z0-9.-]+(?::\d{1,5})?(?:/[A-Za-z0-9._~/-]*)?"
_LONGEST_URL = 255
_LONGEST_AUDIENCE = 255  # IAM API Reference, clientIDType
# An image reference without characters that are special in YAML or a terminal.
_IMAGE = r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}"
_LONGEST_LABEL = 63

# Annotations: README of aws/amazon-eks-pod-identity-webhook. A projected token belongs to the group
# `fsGroup`; without it, only root can read it unless all containers run as one user.
_MANIFEST = """\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {name}
  namespace: {namespace}
  annotations:
    eks.amazonaws.com/role-arn: {role_arn}
{audience}---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {app}
  namespace: {namespace}
spec:
  replicas: 1
  selector:
    matchLabels:
      app.kubernetes.io/name: {app}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {app}
    spec:
      serviceAccountName: {name}
      securityContext:
        fsGroup: 65534  # the token file belongs to this group, so no container needs root
      containers:
        - name: {container}
          image: {image}
{command}"""
_PYTHON = "public.ecr.aws/docker/library/python:3.13-slim"
# Python without a terminal exits at once, and the Deployment would restart it for ever.
_WAITING = """\
          command: ["sleep", "infinity"]  # waits for kubectl exec: put your own here
"""


def trust_policy(
    service_account: str,
    issuer: str,
    account: str,
    *,
    partition: str = "aws",
    audience: str = STS,
) -> dict[str, Any]:
    """Return the trust policy of a role for one service account, as in the EKS User Guide.

    Args:
        service_account: "NAMESPACE/NAME".
        issuer: of the cluster, "https://...".
        account: the 12 digits of the AWS account of role and OIDC provider.
        partition: such as "aws", "aws-cn" or "aws-us-gov".
        audience: the token's `aud`.

    Raises:
        ConfigError: an argument is malformed.
    """
    namespace, name = names_of(service_account)
    if not re.fullmatch(r"(?a:\d{12})", account):
        raise ConfigError(f"The account is {quoted(account)}; use the 12 digits of its ID.")
    if not re.fullmatch(_PARTITION, partition):
        raise ConfigError(
            f"The partition is {quoted(partition)}; use one of AWS, such as aws, aws-cn, "
            "aws-us-gov."
        )
    provider = provider_in(issuer)
    subject = f"system:serviceaccount:{namespace}:{name}"
    arn = f"arn:{partition}:iam::{account}:oidc-provider/{provider}"
    return {
        "Version": "2012-10-17",
        "Statement": [statement(arn, provider, subject, checked_audience(audience))],
    }


def statement(arn: str, provider: str, subject: str, audience: str) -> dict[str, Any]:
    """Return a statement that allows exactly this subject."""
    return {
        "Effect": "Allow",
        "Principal": {"Federated": arn},
        "Action": ACTION,
        "Condition": {"StringEquals": {f"{provider}:sub": subject, f"{provider}:aud": audience}},
    }


def manifest(
    service_account: str,
    role_arn: str,
    *,
    image: str = _PYTHON,
    audience: str = STS,
) -> str:
    """Return YAML of an annotated ServiceAccount and a Deployment that uses it.

    Args:
        service_account: "NAMESPACE/NAME".
        role_arn: the role for its pods.
        image: of the container; the default, a Python image, only waits.
        audience: of the token; annotated if it is not the webhook's default.

    Raises:
        ConfigError: an argument is malformed.
    """
    namespace, name = names_of(service_account)
    role = checked_role_arn(role_arn, "The role", aws=True)
    if not re.fullmatch(_IMAGE, image):
        raise ConfigError(f"The image is {quoted(image)}; use REGISTRY/NAME:TAG.")
    wanted = checked_audience(audience)
    annotation = f"    eks.amazonaws.com/audience: {_quoted(wanted)}\n"
    # Labels and container names have a lower limit than object names.
    app = name[:_LONGEST_LABEL].rstrip("-.")
    return _MANIFEST.format(
        name=_quoted(name),
        namespace=_quoted(namespace),
        role_arn=_quoted(role),
        audience="" if wanted == STS else annotation,
        app=_quoted(app),
        container=_quoted(app.replace(".", "-")),
        image=_quoted(image),
        command=_WAITING if image == _PYTHON else "",
    )


def names_of(value: str) -> tuple[str, str]:
    """Return namespace and name of a service account, NAMESPACE/NAME."""
    namespace, slash, name = value.partition("/")
    if not slash or not re.fullmatch(_LABEL, namespace) or not re.fullmatch(_SUBDOMAIN, name):
        raise ConfigError(
            f"The service account is {quoted(value)}; use NAMESPACE/NAME, such as default/reader: "
            "lower case letters, digits and hyphens."
        )
    return namespace, name


def provider_in(issuer: str) -> str:
    """Return the issuer without `https://`, as in ARNs and condition keys."""
    host_like = re.fullmatch(_ISSUER, issuer) and not re.search(JWT, issuer)
    if len(issuer) > _LONGEST_URL or not host_like:
        raise ConfigError(
            f"The issuer is {quoted(issuer)}; use its URL, which begins with https://, as "
            "'aws eks describe-cluster --name CLUSTER --query cluster.identity.oidc.issuer' "
            "prints it."
        )
    return issuer.removeprefix("https://")


def checked_audience(value: str) -> str:
    """Return an audience that can be a client ID in IAM."""
    if not 0 < len(value) <= _LONGEST_AUDIENCE or not value.isascii() or not value.isprintable():
        raise ConfigError(
            f"The audience is {quoted(value)}; use 1 to {_LONGEST_AUDIENCE} printable characters."
        )
    return value


def _quoted(value: str) -> str:
    # JSON strings are YAML strings, and quotes keep names such as "on" and "1e3" text.
    return json.dumps(value)
