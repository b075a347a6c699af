"""Wrong manifests with their problems, and correct ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from irsa_creds.diagnosis._manifest.manifest_checks import manifest_checks
from irsa_creds.diagnosis._manifest.parse import parse_manifest

ROLE = "arn:aws:iam::123456789012:role/app"
KEY = "eks.amazonaws.com/role-arn"
MOUNT = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
OWN = "/var/run/secrets/own"
Object = dict[str, Any]


def account(
    name: str = "app",
    namespace: str | None = "prod",
    annotations: Object | None = None,
    *,
    labels: Object | None = None,
    **more: Any,
) -> Object:
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": labels or {},
        "annotations": {KEY: ROLE} if annotations is None else annotations,
    }
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, **more}


def pod(
    runs_as: str | None = "app",
    namespace: str | None = "prod",
    annotations: Object | None = None,
    *,
    labels: Object | None = None,
    containers: list[Object] | None = None,
    **spec: Any,
) -> Object:
    metadata = {"name": "web", "namespace": namespace, "annotations": annotations or {}}
    named = {} if runs_as is None else {"serviceAccountName": runs_as}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata | {"labels": labels or {}},
        "spec": {**named, "containers": containers or [container()], **spec},
    }


def container(name: str = "web", env: Object | None = None, **more: Any) -> Object:
    variables = [{"name": key, "value": value} for key, value in (env or {}).items()]
    return {"name": name, "image": "web:1", "env": variables, **more}


def workload(kind: str, of: Object, annotations: Object | None = None, **spec: Any) -> Object:
    """Return a workload with that pod."""
    template = {"metadata": of["metadata"], "spec": of["spec"]}
    inner: Object = {"selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    if kind == "CronJob":
        inner = {"schedule": "@daily", "jobTemplate": {"spec": inner}}
    metadata = {key: of["metadata"][key] for key in ("name", "namespace")}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": metadata | {"annotations": annotations or {}},
        "spec": inner,
    }


def custom(kind: str, group: str, spec: Object, **metadata: Any) -> Object:
    """Return an object of a kind that an operator adds to Kubernetes."""
    named = {"name": "web", "namespace": "prod", **metadata}
    return {"apiVersion": f"{group}/v1", "kind": kind, "metadata": named, "spec": spec}


def rollout(of: Object) -> Object:
    """Return a Rollout of Argo, which has a Deployment's template."""
    return workload("Rollout", of) | {"apiVersion": "argoproj.io/v1alpha1"}


def patch(*containers: Object, **spec: Any) -> Object:
    """Return a patch for Kustomize: a part of a Deployment, without its selector."""
    made = workload("Deployment", pod(None, containers=list(containers), **spec))
    del made["spec"]["selector"]
    return made


def set_by_hand(**more: str) -> Object:
    """Return a pod with all the variables that the webhook would set, and no mount."""
    variables = {
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": f"{MOUNT}/token",
        "AWS_REGION": "eu-west-1",
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
    }
    return deployment(containers=[container(env={**variables, **more})])


def deployment(*arguments: Any, **options: Any) -> Object:
    return workload("Deployment", pod(*arguments, **options))


def projected(
    name: str = "aws-iam-token",
    audience: str | None = "sts.amazonaws.com",
    seconds: object = 86_400,
    **more: Any,
) -> Object:
    token = {"path": "token", "expirationSeconds": seconds}
    if audience is not None:
        token["audience"] = audience
    return {"name": name, "projected": {"sources": [{"serviceAccountToken": token}], **more}}


def by_hand(
    volume: Object | None = None,
    mount: Object | None = None,
    file: str = f"{OWN}/token",
    env: Object | None = None,
    **spec: Any,
) -> Object:
    """Return a pod that does without the webhook."""
    volume = volume or projected("own")
    mounts = [{"name": volume["name"], "mountPath": OWN, **(mount or {})}]
    variables = {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": file, **(env or {})}
    own = container(env=variables, volumeMounts=mounts)
    spec = {"containers": [own], **spec}
    return pod(volumes=[volume], **spec)


def valued_elsewhere(name: str) -> Object:
    return {**container(), "env": [{"name": name, "valueFrom": {"secretKeyRef": {}}}]}


def misspelt(kind: str, *where: str, field: str = "serviceAccountName") -> Object:
    """Return a workload with its service account in a wrong field."""
    made = workload(kind, pod(None)) if kind != "Pod" else pod(None)
    directory = made
    for key in where:
        directory = directory[key]
    directory[field] = "app"
    return made


MISCONFIGURED: dict[str, tuple[list[Object], str, str]] = {
    # M01: the annotation is not on the service account.
    "on a pod": ([account(annotations={}), pod(annotations={KEY: ROLE})], "M01", "fail"),
    "on a deployment": (
        [account(annotations={}), workload("Deployment", pod(), {KEY: ROLE})],
        "M01",
        "fail",
    ),
    "on a pod template": (
        [account(annotations={}), deployment(annotations={KEY: ROLE})],
        "M01",
        "fail",
    ),
    "on a stateful set, its account elsewhere": (
        [workload("StatefulSet", pod(), {KEY: ROLE})],
        "M01",
        "fail",
    ),
    "on a cron job": ([workload("CronJob", pod(), {KEY: ROLE})], "M01", "fail"),
    "on a job's template, which names no account": (
        [workload("Job", pod(None, annotations={KEY: ROLE}))],
        "M01",
        "fail",
    ),
    "on the deployment as well": (
        [account(), workload("Deployment", pod(), {KEY: ROLE})],
        "M01",
        "warn",
    ),
    "on the pods of a Rollout": (
        [account(annotations={}), rollout(pod(annotations={KEY: ROLE}))],
        "M01",
        "fail",
    ),
    "on the pods of Knative's Service": (
        [
            custom(
                "Service",
                "serving.knative.dev",
                {
                    "template": {
                        "metadata": {"annotations": {KEY: ROLE}},
                        "spec": {"serviceAccountName": "app", "containers": [container()]},
                    }
                },
            ),
        ],
        "M01",
        "fail",
    ),
    "on the workers of a RayCluster": (
        [
            custom(
                "RayCluster",
                "ray.io",
                {
                    "workerGroupSpecs": [
                        {
                            "template": {
                                "metadata": {"annotations": {KEY: ROLE}},
                                "spec": {"serviceAccountName": "app", "containers": [container()]},
                            }
                        }
                    ]
                },
            ),
        ],
        "M01",
        "fail",
    ),
    "on a Namespace": (
        [{"kind": "Namespace", "metadata": {"name": "prod", "annotations": {KEY: ROLE}}}],
        "M01",
        "fail",
    ),
    "in the values of an Application": (
        [
            account("other"),
            deployment("other"),
            custom(
                "Application",
                "argoproj.io",
                {
                    "source": {
                        "helm": {
                            "values": f"serviceAccount:\n  annotations:\n    {KEY}: {ROLE}\n",
                        }
                    }
                },
            ),
        ],
        "M01",
        "unknown",
    ),
    "at the top of an object of any kind": ([{"kind": "Namespace", KEY: ROLE}], "M01", "unknown"),
    "on an object of an operator itself": (
        [custom("Database", "example.com", {}, annotations={KEY: ROLE}), deployment("other")],
        "M01",
        "unknown",
    ),
    "inside of an object without the group of its operator": (
        [{"kind": "ControllerConfig", "spec": {"metadata": {"annotations": {KEY: ROLE}}}}],
        "M01",
        "unknown",
    ),
    "on an object whose operator may put it on the account": (
        [
            account("other"),
            deployment("other"),
            custom(
                "Cluster",
                "postgresql.cnpg.io",
                {
                    "serviceAccountTemplate": {
                        "metadata": {
                            "annotations": {KEY: ROLE},
                        }
                    }
                },
            ),
        ],
        "M01",
        "unknown",
    ),
    "misspelt and on the pod": (
        [pod(annotations={"eks.amazonaws.com/role_arn": ROLE})],
        "M01",
        "fail",
    ),
    "among the labels": ([account(annotations={}, labels={KEY: "app"}), pod()], "M01", "fail"),
    "beside the metadata": (
        [account(annotations={}) | {"annotations": {KEY: ROLE}}, pod()],
        "M01",
        "fail",
    ),
    "at the top": ([{**account(annotations={}), KEY: ROLE}, pod()], "M01", "fail"),
    "in the metadata itself": (
        [{"kind": "ServiceAccount", "metadata": {"name": "app", KEY: ROLE}}],
        "M01",
        "fail",
    ),
    # M02: the pod does not run as that account.
    "names no account": ([account(), deployment(None)], "M02", "fail"),
    "names `default`": ([account(), deployment("default")], "M02", "fail"),
    "names one without a role": (
        [account(), account("plain", annotations={}), deployment("plain")],
        "M02",
        "fail",
    ),
    "names it with a slip": ([account("payments"), deployment("payment")], "M02", "fail"),
    "names another, which is not here": ([account(), deployment("other")], "M02", "warn"),
    "a Rollout names no account": ([account(), rollout(pod(None))], "M02", "fail"),
    "a Rollout's account elsewhere": ([account(namespace="dev"), rollout(pod())], "M03", "fail"),
    "keys in the environment of a Rollout": (
        [account(), rollout(pod(containers=[container(env={"AWS_ACCESS_KEY_ID": "AKIA"})]))],
        "M05",
        "fail",
    ),
    "names it beside the template": (
        [account(), misspelt("Deployment", "spec")],
        "M02",
        "fail",
    ),
    "names it in the pod's metadata": (
        [account(), misspelt("StatefulSet", "spec", "template", "metadata")],
        "M02",
        "fail",
    ),
    "names it at the template's top": (
        [account(), misspelt("DaemonSet", "spec", "template")],
        "M02",
        "fail",
    ),
    "names it in the job": (
        [account(), misspelt("CronJob", "spec", "jobTemplate", "spec")],
        "M02",
        "fail",
    ),
    "names it in a container": (
        [account(), pod(None, containers=[container(serviceAccountName="app")])],
        "M02",
        "fail",
    ),
    "names it in snake case": (
        [account(), misspelt("Pod", "spec", field="service_account_name")],
        "M02",
        "fail",
    ),
    "names it in lower case": (
        [account(), misspelt("Pod", "spec", field="serviceaccountname")],
        "M02",
        "fail",
    ),
    # M03: the namespaces differ.
    "account elsewhere": ([account(namespace="dev"), deployment()], "M03", "fail"),
    "account in kube-system": ([account(namespace="kube-system"), pod()], "M03", "fail"),
    "account in default": (
        [account(namespace="default"), workload("CronJob", pod())],
        "M03",
        "fail",
    ),
    "account without a namespace": ([account(namespace=None), deployment()], "M03", "unknown"),
    "pod without a namespace": ([account(), deployment(namespace=None)], "M03", "unknown"),
    # M04: the annotation's key.
    **{
        f"key {key}": ([account(annotations={key: ROLE}), deployment()], "M04", "fail")
        for key in (
            "eks.amazonaws.com/role_arn",
            "eks.amazonaws.com/rolearn",
            "eks.amazonaws.com/role-ARN",
            "eks.amazonaws.com/role",
            "eks.amazonaws.com/iam-role-arn",
            "eks.amazon.com/role-arn",
            "eks.aws.amazon.com/role-arn",
            "EKS.amazonaws.com/role-arn",
            "eks.amazonaws.com.role-arn",
            "eks.amazonaws.co/role-arn",
            "amazonaws.com/role-arn",
            "eks.amazonaws.com/ role-arn",
            "iam.amazonaws.com/role",
            "iam.amazonaws.com/role-arn",
        )
    },
    # M04: its value.
    **{
        f"value {value!r}": ([account(annotations={KEY: value}), deployment()], "M04", "fail")
        for value in (
            "",
            "app",
            f"{ROLE} ",
            f"{ROLE}\n",
            f'"{ROLE}"',
            f"'{ROLE}'",
            "arn:aws:iam::123456789012:policy/app",
            "arn:aws:iam::aws:policy/ReadOnlyAccess",
            "arn:aws:iam::123456789012:user/app",
            "arn:aws:iam::123456789012:instance-profile/app",
            "arn:aws:sts::123456789012:assumed-role/app/session",
            "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A",
            "arn:aws:iam::12345678901:role/app",
            "arn:aws:iam:eu-west-1:123456789012:role/app",
            "arn:aws:iam:123456789012:role/app",
            "arn:aws:iam::123456789012:app",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::<ACCOUNT_ID>:role/app",
            "${ROLE_ARN}",
            "{{ .Values.role }}",
            123456789012,
            None,
            [ROLE],
        )
    },
    # M05: settings that hide the token.
    "subPath": (
        [
            account(),
            pod(
                containers=[
                    container(
                        volumeMounts=[
                            {"name": "aws-iam-token", "mountPath": "/token", "subPath": "token"}
                        ]
                    )
                ],
                volumes=[projected()],
            ),
        ],
        "M05",
        "fail",
    ),
    "subPath of a volume of its own": (
        [by_hand(mount={"mountPath": f"{OWN}/token", "subPath": "token"})],
        "M05",
        "fail",
    ),
    "subPathExpr": (
        [
            account(),
            pod(
                containers=[
                    container(
                        volumeMounts=[
                            {
                                "name": "aws-iam-token",
                                "mountPath": "/token",
                                "subPathExpr": "$(FILE)",
                            }
                        ]
                    )
                ],
                volumes=[projected()],
            ),
        ],
        "M05",
        "fail",
    ),
    "a slip in the audience of a volume that nobody names": (
        [pod(volumes=[projected("mine", "sts.amazon.com")])],
        "M05",
        "fail",
    ),
    "no audience": ([by_hand(projected("own", None))], "M05", "fail"),
    "Pod Identity's audience": (
        [by_hand(projected("own", "pods.eks.amazonaws.com"))],
        "M05",
        "fail",
    ),
    "a slip in the audience": ([by_hand(projected("own", "sts.amazon.com"))], "M05", "fail"),
    "the audience as a URL": (
        [by_hand(projected("own", "https://sts.amazonaws.com"))],
        "M05",
        "fail",
    ),
    "another audience": ([by_hand(projected("own", "vault"))], "M05", "warn"),
    "the webhook's volume by hand, for the API server": (
        [account(), pod(volumes=[projected(audience=None)])],
        "M05",
        "fail",
    ),
    "another volume where the webhook's goes": (
        [
            account(),
            pod(
                containers=[container(volumeMounts=[{"name": "mine", "mountPath": f"{MOUNT}/"}])],
                volumes=[projected("mine", "https://kubernetes.default.svc")],
            ),
        ],
        "M05",
        "warn",
    ),
    "expires after a minute": ([by_hand(projected("own", seconds=60))], "M05", "fail"),
    "expires after 200 years": ([by_hand(projected("own", seconds=2**33))], "M05", "fail"),
    "expires as text": ([by_hand(projected("own", seconds="86400"))], "M05", "fail"),
    "expires as truth": ([by_hand(projected("own", seconds=True))], "M05", "fail"),
    "expires after a week": ([by_hand(projected("own", seconds=604_800))], "M05", "warn"),
    "a file for root only": (
        [by_hand(projected("own", defaultMode=0o400), securityContext={"runAsNonRoot": True})],
        "M05",
        "fail",
    ),
    "a file for one of two users": (
        [
            by_hand(
                projected("own", defaultMode=0o440),
                securityContext={"runAsUser": 1000},
                initContainers=[container("first", securityContext={"runAsUser": 0})],
            )
        ],
        "M05",
        "fail",
    ),
    "the API server's token": (
        [by_hand(file="/var/run/secrets/kubernetes.io/serviceaccount/token")],
        "M05",
        "fail",
    ),
    "the API server's token by its other path": (
        [by_hand(file="/run/secrets/kubernetes.io/serviceaccount/token")],
        "M05",
        "fail",
    ),
    "a file that the volume has not": ([by_hand(file=f"{OWN}/aws-token")], "M05", "fail"),
    "a file where nothing is mounted": ([by_hand(file="/tmp/token")], "M05", "warn"),
    "the webhook's file without a role": (
        [account(annotations={}), by_hand(file=f"{MOUNT}/token")],
        "M05",
        "warn",
    ),
    "a role by hand": (
        [account(), deployment(containers=[container(env={"AWS_ROLE_ARN": ROLE})])],
        "M05",
        "fail",
    ),
    "a role from a secret": (
        [account(), deployment(containers=[valued_elsewhere("AWS_ROLE_ARN")])],
        "M05",
        "fail",
    ),
    "a file by hand": (
        [
            account(),
            deployment(
                containers=[container(env={"AWS_WEB_IDENTITY_TOKEN_FILE": f"{MOUNT}/token"})]
            ),
        ],
        "M05",
        "fail",
    ),
    "keys in the environment": (
        [account(), deployment(containers=[container(env={"AWS_ACCESS_KEY_ID": "AKIA"})])],
        "M05",
        "fail",
    ),
    "keys from a secret": (
        [account(), deployment(containers=[valued_elsewhere("AWS_ACCESS_KEY_ID")])],
        "M05",
        "fail",
    ),
    "all containers skipped": (
        [account(), deployment(annotations={"eks.amazonaws.com/skip-containers": "web"})],
        "M05",
        "fail",
    ),
    "a container skipped that is none": (
        [account(), deployment(annotations={"eks.amazonaws.com/skip-containers": "proxy, web"})],
        "M05",
        "warn",
    ),
    "containers skipped on the account": (
        [account(annotations={KEY: ROLE, "eks.amazonaws.com/skip-containers": "web"}), pod()],
        "M05",
        "warn",
    ),
    "containers skipped on the deployment": (
        [
            account(),
            workload("Deployment", pod(), {"eks.amazonaws.com/skip-containers": "web"}),
        ],
        "M05",
        "warn",
    ),
    "the label that skips the webhook": (
        [account(), deployment(labels={"eks.amazonaws.com/skip-pod-identity-webhook": "1"})],
        "M05",
        "fail",
    ),
    "a slip in the account's audience": (
        [account(annotations={KEY: ROLE, "eks.amazonaws.com/audience": "sts.amazon.com"})],
        "M05",
        "fail",
    ),
    "an audience that is a list": (
        [account(annotations={KEY: ROLE, "eks.amazonaws.com/audience": ["sts.amazonaws.com"]})],
        "M05",
        "fail",
    ),
    **{
        f"token-expiration {value!r}": (
            [account(annotations={KEY: ROLE, "eks.amazonaws.com/token-expiration": value})],
            "M05",
            "warn",
        )
        for value in ("1h", "600", "604800", "9" * 5000, "-3600", "")
    },
    # The webhook leaves such a container alone, without a mount (pkg/handler/handler.go).
    "all of the webhook's variables by hand": ([account(), set_by_hand()], "M05", "warn"),
    "all of the webhook's variables by hand, the account not here": (
        [set_by_hand(AWS_DEFAULT_REGION="eu-west-1")],
        "M05",
        "warn",
    ),
    "token-expiration of the pod": (
        [account(), deployment(annotations={"eks.amazonaws.com/token-expiration": "1 hour"})],
        "M05",
        "warn",
    ),
}

SPARK = {"kind": "SparkApplication", "spec": {"driver": {"serviceAccount": "app"}, "deps": [1]}}
VAULT = projected("vault", "vault", 600)

SOUND: dict[str, list[Object]] = {
    "the EKS User Guide's": [account(), deployment()],
    **{kind: [account(), workload(kind, pod())] for kind in (
        "CronJob", "DaemonSet", "Job", "ReplicaSet", "ReplicationController", "StatefulSet",
    )},
    "a pod": [account(), pod()],
    "a Rollout": [account(), rollout(pod())],
    "a template of a kind that names its account outside of it": [
        account(),
        custom("Agent", "example.com", {
            "serviceAccountName": "app", "podTemplate": {"spec": {"containers": [container()]}},
        }),
    ],
    "an account that Crossplane's runtime names": [
        account(),
        custom("DeploymentRuntimeConfig", "pkg.crossplane.io", {
            "serviceAccountTemplate": {"metadata": {"name": "app"}},
            "deploymentTemplate": {"spec": {"template": {"spec": {"containers": [container()]}}}},
        }),
    ],
    "the annotation on all of a chart's objects": [
        account(),
        custom("Certificate", "cert-manager.io", {}, annotations={KEY: ROLE}),
        {"kind": "ConfigMap", "metadata": {"name": "c", "annotations": {KEY: ROLE}}},
        deployment(),
    ],
    "a list": [{"kind": "List", "items": [account(), deployment()]}],
    "no namespaces": [account(namespace=None), deployment(namespace=None)],
    "the account alone": [account()],
    "all of the webhook's annotations": [
        account(
            annotations={
                KEY: ROLE,
                "eks.amazonaws.com/audience": "sts.amazonaws.com",
                "eks.amazonaws.com/sts-regional-endpoints": "true",
                "eks.amazonaws.com/token-expiration": "86400",
            }
        ),
        deployment(annotations={"eks.amazonaws.com/token-expiration": "3600"}),
    ],
    "automount off": [
        account(automountServiceAccountToken=False),
        deployment(automountServiceAccountToken=False),
    ],
    "a role with a path": [
        account(annotations={KEY: "arn:aws:iam::123456789012:role/eks/team-a/app"}),
        deployment(),
    ],
    "GovCloud": [
        account(annotations={KEY: "arn:aws-us-gov:iam::123456789012:role/app"}), deployment()
    ],
    "China": [
        account(
            annotations={
                KEY: "arn:aws-cn:iam::123456789012:role/app",
                "eks.amazonaws.com/audience": "sts.amazonaws.com.cn",
            }
        ),
        deployment(),
    ],
    "eksctl's account": [
        account(labels={"app.kubernetes.io/managed-by": "eksctl"}),
        deployment(),
    ],
    "the older field": [account(), pod(None, serviceAccount="app")],
    "a cache beside it that needs no role": [account(), deployment(), deployment(None)],
    "two accounts, two pods": [
        account(), account("other", annotations={KEY: ROLE + "2"}),
        deployment(), deployment("other"),
    ],
    "an account that nobody runs as, beside another with a role": [
        account("later", annotations={KEY: ROLE + "2"}), account(), deployment(),
    ],
    "an account that an operator's object runs as": [account(), SPARK, deployment(None)],
    "an account of another namespace's pods": [account(namespace="dev"), deployment(None)],
    "the same account in two namespaces": [
        account(), account(namespace="dev"), deployment(), deployment(namespace="dev"),
    ],
    "kube2iam's annotation on the pod, while moving": [
        account(), deployment(annotations={"iam.amazonaws.com/role": "app"}),
    ],
    "kube2iam's annotation on the account as well": [
        account(annotations={KEY: ROLE, "iam.amazonaws.com/role": "app"}), deployment(),
    ],
    "other clouds' annotations": [
        account(
            annotations={
                KEY: ROLE,
                "iam.gke.io/gcp-service-account": "a@b.iam.gserviceaccount.com",
                "azure.workload.identity/client-id": "0",
            }
        ),
        deployment(),
    ],
    "a sidecar skipped": [
        account(),
        deployment(
            annotations={"eks.amazonaws.com/skip-containers": "first,proxy"},
            containers=[container(), container("proxy")],
            initContainers=[container("first")],
        ),
    ],
    "the only container skipped, and not the init container": [
        account(),
        deployment(
            annotations={"eks.amazonaws.com/skip-containers": "web"},
            initContainers=[container("first")],
        ),
    ],
    "an account that a secret store uses": [
        account(),
        custom("SecretStore", "external-secrets.io", {"provider": {"aws": {"auth": {
            "jwt": {"serviceAccountRef": {"name": "app"}},
        }}}}),
        deployment(None),
    ],
    "an account that an issuer of cert-manager uses": [
        account(),
        custom("Issuer", "cert-manager.io", {"acme": {"solvers": [{"dns01": {"route53": {
            "auth": {"kubernetes": {"serviceAccountRef": {"name": "app"}}},
        }}}]}}),
        deployment("default"),
    ],
    "an account that Spark's own configuration names": [
        account(),
        custom("SparkApplication", "sparkoperator.k8s.io", {"sparkConf": {
            "spark.kubernetes.authenticate.driver.serviceAccountName": "app",
        }}),
        deployment(None),
    ],
    "namespace default against none": [account(namespace="default"), deployment(namespace=None)],
    "none against namespace default": [account(namespace=None), deployment(namespace="default")],
    "a patch that names no account": [account(), patch(container(env={"A": "b"}))],
    "a patch alone": [patch(container(env={"A": "b"}))],
    "a token for another cloud": [
        account(),
        pod(
            volumes=[projected("ram", "sts.aliyuncs.com", 172_800)],
            containers=[container(volumeMounts=[{"name": "ram", "mountPath": "/ram"}])],
        ),
    ],
    "a token for another cloud's STS, for which there is no name yet": [
        account(), pod(volumes=[projected("own", "sts.example.com")]),
    ],
    "variables by hand, without those of the region": [
        account(),
        deployment(containers=[container(env={
            "AWS_ROLE_ARN": ROLE,
            "AWS_WEB_IDENTITY_TOKEN_FILE": f"{MOUNT}/token",
            "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        })]),
    ],
    "non-root by the webhook's volume": [
        account(), deployment(securityContext={"runAsNonRoot": True, "runAsUser": 1000}),
    ],
    "host network": [account(), deployment(hostNetwork=True)],
    "all by hand": [by_hand()],
    "all by hand, for an annotated account": [account(), by_hand()],
    "all by hand, the webhook told to skip it": [
        account(),
        by_hand() | {"metadata": pod(
            annotations={"eks.amazonaws.com/skip-containers": "web"},
            labels={"eks.amazonaws.com/skip-pod-identity-webhook": "true"},
        )["metadata"]},
    ],
    "by hand where the webhook has it": [account(), by_hand(file=f"{MOUNT}/token")],
    "by hand, the account not here": [by_hand(file=f"{MOUNT}/token")],
    "by hand with the annotation's audience": [
        account(annotations={KEY: ROLE, "eks.amazonaws.com/audience": "mine"}),
        by_hand(projected("own", "mine")),
    ],
    "by hand, ten minutes": [by_hand(projected("own", seconds=600))],
    "by hand, for a group": [
        by_hand(
            projected("own", defaultMode=0o400),
            securityContext={"runAsNonRoot": True, "fsGroup": 1000},
        )
    ],
    "by hand, all as one user": [
        by_hand(projected("own", defaultMode=0o400), securityContext={"runAsUser": 1000})
    ],
    "by hand, as root": [by_hand(projected("own", defaultMode=0o400))],
    "by hand, a file that a secret brings": [
        by_hand({"name": "own", "secret": {"secretName": "token"}}, file=f"{OWN}/anything")
    ],
    "half by hand, the other half from elsewhere": [
        account(),
        deployment(containers=[container(
            env={"AWS_ROLE_ARN": ROLE}, envFrom=[{"configMapRef": {"name": "aws"}}]
        )]),
    ],
    "a role in the environment of another tool": [
        deployment("plain", containers=[container(env={"AWS_ROLE_ARN": ROLE})]),
    ],
    "a path on Windows": [
        account(), by_hand(file="C:\\var\\run\\secrets\\token"),
    ],
    "an empty access key": [
        account(), deployment(containers=[container(env={"AWS_ACCESS_KEY_ID": ""})]),
    ],
    "Vault's token beside it": [
        account(),
        deployment(
            volumes=[VAULT],
            containers=[container(volumeMounts=[{"name": "vault", "mountPath": "/vault"}])],
        ),
    ],
    "the API server's volume, as the control plane writes it": [
        account(),
        pod(
            volumes=[{
                "name": "kube-api-access",
                "projected": {
                    "defaultMode": 420,
                    "sources": [
                        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                        {"configMap": {"name": "kube-root-ca.crt"}},
                    ],
                },
            }],
            containers=[container(volumeMounts=[{
                "name": "kube-api-access",
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            }])],
        ),
    ],
    "a live pod, as the webhook left it": [
        account(),
        by_hand(
            projected(defaultMode=420),
            {"mountPath": MOUNT},
            f"{MOUNT}/token",
            {"AWS_REGION": "eu-west-1", "AWS_STS_REGIONAL_ENDPOINTS": "regional"},
            serviceAccount="app",
            securityContext={"runAsUser": 1000},
        ),
    ],
    "by hand, for an hour by default": [by_hand(projected("own", seconds=None))],
    "a config map by subPath": [
        account(),
        deployment(
            volumes=[{"name": "config", "configMap": {"name": "c"}}],
            containers=[container(
                volumeMounts=[{"name": "config", "mountPath": "/c.yaml", "subPath": "c.yaml"}]
            )],
        ),
    ],
    "a service beside it": [
        account(), deployment(), {"kind": "Service", "metadata": {"name": "web"}},
    ],
    "nothing of ours": [{"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}}],
}  # fmt: skip


def findings(objects: list[Object]) -> set[tuple[str, str]]:
    """Return ids and statuses of all that is not well."""
    checks = manifest_checks(parse_manifest("\n".join(map(json.dumps, objects))))
    assert {check.id for check in checks} == {"M01", "M02", "M03", "M04", "M05"}
    return {(each.id, each.status) for each in checks if each.status not in {"ok", "skipped"}}


@pytest.mark.parametrize("name", MISCONFIGURED)
def test_a_misconfigured_manifest_gives_its_id_and_no_other(name: str) -> None:
    objects, check_id, status = MISCONFIGURED[name]
    assert findings(objects) == {(check_id, status)}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_manifest_raises_no_alarm(name: str) -> None:
    assert {status for _, status in findings(SOUND[name])} <= {"unknown"}


def test_the_table_is_as_long_as_it_is_meant_to_be() -> None:
    assert len(MISCONFIGURED) >= 100
    assert len(SOUND) >= 40
