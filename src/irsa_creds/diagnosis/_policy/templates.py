"""What is right, made: a role's trust policy, and the objects of a cluster that use the role."""

from __future__ import annotations

import json
import re
from typing import Any

from irsa_creds._errors import ConfigError
from irsa_creds._identity.arns import role_arn as checked_role_arn
from irsa_creds._identity.validation import quoted
from irsa_creds._masking import JWT

__all__ = [
    "ACTION",
    "AUDIENCE",
    "checked_audience",
    "manifest",
    "names_of",
    "provider_in",
    "statement",
    "trust_policy",
]

#: The audience that the pod identity webhook asks for, and the client id of EKS's IAM providers.
AUDIENCE = "sts.amazonaws.com"

#: What a token is exchanged by.
ACTION = "sts:AssumeRoleWithWebIdentity"
# Names of Kubernetes' objects are of RFC 1123: a label of a namespace, a subdomain of an account.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PART = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_SUBDOMAIN = rf"(?=.{{1,253}}\Z){_PART}(?:\.{_PART})*"
_PARTITION = r"aws(?:-[a-z0-9]+)*"
# The URL of a provider: https, no query (IAM's API reference, CreateOpenIDConnectProvider).
_ISSUER = r"https://[A-Za-z0-9.-]+(?::\d{1,5})?(?:/[A-Za-z0-9._~/-]*)?"
_LONGEST_URL = 255
_LONGEST_AUDIENCE = 255  # IAM's API reference, clientIDType
# A reference of an image; what YAML or a terminal could stumble over is none.
_IMAGE = r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}"
_LONGEST_LABEL = 63

# Annotations: README of aws/amazon-eks-pod-identity-webhook. The kubelet gives a projected token
# to the group `fsGroup`; without it, only root may read it unless all containers share one user.
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
        fsGroup: 65534  # the token's file belongs to this group, so that no container needs root
      containers:
        - name: {container}
          image: {image}
{command}"""
_PYTHON = "public.ecr.aws/docker/library/python:3.13-slim"
# Python without a terminal would end at once, and the Deployment start it again and again.
_WAITING = """\
          command: ["sleep", "infinity"]  # it only waits, for kubectl exec: put your own here
"""


def trust_policy(
    service_account: str,
    issuer: str,
    account: str,
    *,
    partition: str = "aws",
    audience: str = AUDIENCE,
) -> dict[str, Any]:
    """Return the trust policy of a role for one service account, as the EKS User Guide has it.

    Args:
        service_account: "NAMESPACE/NAME".
        issuer: the cluster's, "https://...".
        account: the 12 digits of the account that holds the role and the OIDC provider.
        partition: such as "aws", "aws-cn" or "aws-us-gov".
        audience: the token's `aud`.

    Raises:
        ConfigError: one of them cannot be what it is meant to be.
    """
    namespace, name = names_of(service_account)
    if not re.fullmatch(r"(?a:\d{12})", account):
        raise ConfigError(f"The account is {quoted(account)}; give the 12 digits of its id.")
    if not re.fullmatch(_PARTITION, partition):
        raise ConfigError(
            f"The partition is {quoted(partition)}; give one of AWS's, like aws, aws-cn, "
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
    """Return the statement that lets exactly this subject in."""
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
    audience: str = AUDIENCE,
) -> str:
    """Return YAML of an annotated ServiceAccount and a Deployment that uses it.

    Args:
        service_account: "NAMESPACE/NAME".
        role_arn: of the role that its pods shall have.
        image: of the Deployment's container; the one of Python that is the default waits there.
        audience: of the token; annotated where it is not the webhook's own.

    Raises:
        ConfigError: one of them cannot be what it is meant to be.
    """
    namespace, name = names_of(service_account)
    role = checked_role_arn(role_arn, "The role", aws=True)
    if not re.fullmatch(_IMAGE, image):
        raise ConfigError(f"The image is {quoted(image)}; give a reference like REGISTRY/NAME:TAG.")
    wanted = checked_audience(audience)
    annotation = f"    eks.amazonaws.com/audience: {_quoted(wanted)}\n"
    # Values of labels and names of containers are shorter than those of objects.
    app = name[:_LONGEST_LABEL].rstrip("-.")
    return _MANIFEST.format(
        name=_quoted(name),
        namespace=_quoted(namespace),
        role_arn=_quoted(role),
        audience="" if wanted == AUDIENCE else annotation,
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
            f"The service account is {quoted(value)}; give NAMESPACE/NAME, like default/reader: "
            "lower case letters, digits and hyphens."
        )
    return namespace, name


def provider_in(issuer: str) -> str:
    """Return the issuer as ARNs and condition keys have it."""
    host_like = re.fullmatch(_ISSUER, issuer) and not re.search(JWT, issuer)
    if len(issuer) > _LONGEST_URL or not host_like:
        raise ConfigError(
            f"The issuer is {quoted(issuer)}; give its URL, which begins with https://, as "
            "'aws eks describe-cluster --name CLUSTER --query cluster.identity.oidc.issuer' "
            "prints it."
        )
    return issuer.removeprefix("https://")


def checked_audience(value: str) -> str:
    """Return an audience that IAM can have as a client id."""
    if not 0 < len(value) <= _LONGEST_AUDIENCE or not value.isascii() or not value.isprintable():
        raise ConfigError(
            f"The audience is {quoted(value)}; give 1 to {_LONGEST_AUDIENCE} printable characters."
        )
    return value


def _quoted(value: str) -> str:
    # A string of JSON is one of YAML: no name like "on", "1e3" or "~" becomes something else.
    return json.dumps(value)
