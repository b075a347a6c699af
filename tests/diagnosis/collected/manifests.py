"""Shapes of manifests from public repositories and threads, with what doctor should find.

Names, accounts and images are neutral; the texts are not copied. The abbreviated file names: alb is
aws-load-balancer-controller-service-account.yaml, ca is k8s/cluster-autoscaler.yaml, dns is
external-dns.yaml, sa is k8s/serviceaccount.yaml.
"""
# ruff: noqa: E501 - one row of a table is one line

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

KEY = "eks.amazonaws.com/role-arn"
MOUNT = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
SYSTEM = "kube-system"
Object = dict[str, Any]

#: The API versions of the kinds that are not in the core group.
VERSIONS = {
    **dict.fromkeys(("Deployment", "DaemonSet", "StatefulSet", "ReplicaSet"), "apps/v1"),
    **dict.fromkeys(("Job", "CronJob"), "batch/v1"),
    **dict.fromkeys(
        ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"), "rbac.authorization.k8s.io/v1"
    ),
    **dict.fromkeys(("SecretStore", "ClusterSecretStore"), "external-secrets.io/v1"),
    **dict.fromkeys(("ControllerConfig", "DeploymentRuntimeConfig"), "pkg.crossplane.io/v1beta1"),
    **dict.fromkeys(("Rollout", "Application"), "argoproj.io/v1alpha1"),
    "ExternalSecret": "external-secrets.io/v1",
    "Ingress": "networking.k8s.io/v1",
    "RunnerDeployment": "actions.summerwind.dev/v1alpha1",
    "SecretProviderClass": "secrets-store.csi.x-k8s.io/v1",
    "Template": "template.openshift.io/v1",
    "Issuer": "cert-manager.io/v1",
    "SparkApplication": "sparkoperator.k8s.io/v1beta2",
    "PostgresCluster": "postgres-operator.crunchydata.com/v1beta1",
}


@dataclass(frozen=True)
class Manifest:
    """One collected manifest, and what is right about it.

    Attributes:
        source: the repository and the path, or the repository and the number of the thread.
        objects: of the manifest.
        problems: the ids of all problems with the statuses that they may have; empty if sound.
    """

    source: str
    objects: list[Object]
    problems: dict[str, str] = field(default_factory=dict)


def role(account: str = "123456789012", partition: str = "aws") -> str:
    return f"arn:{partition}:iam::{account}:role/app"


def thing(kind: str, name: str, namespace: str | None = "shop", **more: Any) -> Object:
    """Return an object; its namespace stands in the metadata if there is one."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": VERSIONS.get(kind, "v1"),
        "kind": kind,
        "metadata": metadata | more.pop("metadata", {}),
        **more,
    }


def account(
    arn: Any = None, namespace: str | None = "shop", name: str = "app", **annotations: Any
) -> Object:
    """Return a service account; None stands for a sound role, "" for none."""
    named = {} if arn == "" else {KEY: arn or role()}
    all_annotations = named | {key.replace("__", "/"): value for key, value in annotations.items()}
    more = {"annotations": all_annotations} if all_annotations else {}
    return thing("ServiceAccount", name, namespace, metadata=more)


def pod(runs_as: str | None = "app", namespace: str | None = "shop", **spec: Any) -> Object:
    named = {"serviceAccountName": runs_as} if runs_as else {}
    return thing("Pod", "web", namespace, spec=named | {"containers": [container()]} | spec)


def container(name: str = "web", **more: Any) -> Object:
    return {"name": name, "image": "web:1", **more}


def workload(
    kind: str, runs_as: str | None = "app", namespace: str | None = "shop", **spec: Any
) -> Object:
    """Return a workload; `annotations` are of its pod template."""
    annotations = spec.pop("annotations", {})
    template = {
        "metadata": {"annotations": annotations},
        "spec": pod(runs_as, None, **spec)["spec"],
    }
    selector = {"selector": {"matchLabels": {"app": "web"}}} if "apps" in VERSIONS[kind] else {}
    return thing(kind, "web", namespace, spec=selector | {"template": template})


def deployment(runs_as: str | None = "app", namespace: str | None = "shop", **spec: Any) -> Object:
    return workload("Deployment", runs_as, namespace, **spec)


def rbac(namespace: str | None = "shop", name: str = "app") -> list[Object]:
    """Return the cluster role and its binding, as they stand between account and deployment."""
    subjects = [{"kind": "ServiceAccount", "name": name, "namespace": namespace or "default"}]
    return [
        thing(
            "ClusterRole",
            "app",
            None,
            rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}],
        ),
        thing(
            "ClusterRoleBinding",
            "app",
            None,
            roleRef={"kind": "ClusterRole", "name": "app"},
            subjects=subjects,
        ),
    ]


def store(kind: str = "SecretStore", namespace: str | None = "shop", **auth: Any) -> Object:
    aws = {"service": "SecretsManager", "region": "eu-west-1"} | ({"auth": auth} if auth else {})
    return thing(kind, "store", namespace, spec={"provider": {"aws": aws}})


def reference(name: str = "app", **more: Any) -> Object:
    return {"serviceAccountRef": {"name": name, **more}}


def variables(**values: Any) -> list[Object]:
    return [{"name": name, "value": value} for name, value in values.items()]


def token(audience: str = "sts.amazonaws.com", seconds: int = 86_400) -> Object:
    sources = [
        {
            "serviceAccountToken": {
                "audience": audience,
                "expirationSeconds": seconds,
                "path": "token",
            }
        }
    ]
    return {"name": "aws-iam-token", "projected": {"sources": sources}}


def mutated(runs_as: str | None = "app", namespace: str = "shop") -> Object:
    """Return a pod as the webhook leaves it."""
    mount = {"name": "aws-iam-token", "mountPath": MOUNT, "readOnly": True}
    env = variables(
        AWS_REGION="eu-west-1",
        AWS_STS_REGIONAL_ENDPOINTS="regional",
        AWS_ROLE_ARN=role(),
        AWS_WEB_IDENTITY_TOKEN_FILE=f"{MOUNT}/token",
    )
    return pod(
        runs_as, namespace, containers=[container(env=env, volumeMounts=[mount])], volumes=[token()]
    )


_BY_HAND = {"AWS_ROLE_ARN": role(), "AWS_WEB_IDENTITY_TOKEN_FILE": f"{MOUNT}/token"}
_CERTIFICATES = {"name": "ssl-certs", "hostPath": {"path": "/etc/ssl/certs/ca-bundle.crt"}}
_NOBODY = {"runAsNonRoot": True, "runAsUser": 65534, "fsGroup": 65534}
_INIT = [container("download", image="aws-cli:2")]
_FROM_MAP = [
    {"name": "AWS_REGION", "valueFrom": {"configMapKeyRef": {"name": "app", "key": "region"}}}
]
_SPARK = {
    "type": "Python",
    "mode": "cluster",
    "driver": {"cores": 1, "serviceAccount": "app"},
    "executor": {"instances": 3},
}
_SPARK_CONF = {
    "type": "Python",
    "sparkConf": {
        f"spark.kubernetes.authenticate.{each}.serviceAccountName": "app"
        for each in ("driver", "executor")
    },
}
_ISSUER = {
    "acme": {
        "solvers": [
            {
                "dns01": {
                    "route53": {
                        "region": "eu-west-1",
                        "role": role(),
                        "auth": {"kubernetes": reference()},
                    }
                }
            }
        ]
    }
}
_KEYS: dict[str, Any] = {
    "secretRef": {
        "accessKeyIDSecretRef": {"name": "s", "key": "k"},
        "secretAccessKeySecretRef": {"name": "s", "key": "k"},
    }
}

SOUND: list[Manifest] = [
    # The service account alone: its pods come from a chart.
    *(
        Manifest(f"{source} alb", [account(namespace=SYSTEM)])
        for source in (
            "8073419373/EKS-documentation",
            "Kondou1221/eks-test-manifest",
            "Magikon/ecseks",
            "calvin-puram/aws-load",
            "isanasan/example-eks-terraform",
            "jw6963/sockshop",
            "nav2103/Node-script",
            "pryalex/k8s_my",
        )
    ),
    Manifest("chenzhipei/gitpod-eks-guide alb", [account(role(partition="aws-cn"), SYSTEM)]),
    Manifest("RutvijBhesaniya/YudizEKSDemo alb", [account("", SYSTEM)]),
    Manifest("mreferre/eksutils irsa-sa.yaml", [account(namespace="default")]),
    Manifest("StreamForge-FiapX/eks-streamforge-infra irsa.yaml", [account(namespace=None)]),
    Manifest("Nareshgundavelli/web k8s/irsa.yaml", [account()]),
    Manifest("tradeonly513-sketch/agent k8s/irsa-serviceaccount.yaml", [account()]),
    Manifest("Amardeep-11/clo835-finalproject sa", [account()]),
    Manifest("Ashvin2003/clo835_finalproject_group3 sa", [account()]),
    Manifest("Booket24/capstone-project-tsacademy k8s/service-account.yaml", [account(namespace="default")]),
    Manifest("YJ-king/DR_repo data/irsa-sa.yaml.tpl", [account(namespace="default")]),
    Manifest("freee-akito-fujihara/eks-aws-auth-and-irsa irsa.yaml", [account(namespace="default"), *rbac("default")]),
    Manifest("mtrampic/argocd-isengard-q-profile-vending k8s/irsa-serviceaccount.yaml", [account(namespace=None) | {"automountServiceAccountToken": True}, thing("Secret", "app-token", None, type="kubernetes.io/service-account-token")]),
    # No role is in the manifest, and nothing says that one is missing.
    Manifest("PoobeshM/EKS-Payment-Setup k8s/irsa-serviceaccount.yaml", [account("", None)]),
    Manifest("Dhayalramesh/kubesentinel-ai-ops sa", [account("") | {"automountServiceAccountToken": False}]),
    Manifest("Aysticky/yambo-data-r2q-spark-job k8s/lambda-serviceaccount.yaml", [account(""), thing("Secret", "app-token"), *rbac()]),
    Manifest("EdwinJdevops/infraguard-agent sa", [account("", azure="1")]),
    Manifest("oke-py/k8snovice15 irsa.yaml", [pod(tolerations=[{"key": "eks.amazonaws.com/compute-type", "value": "fargate"}])]),
    Manifest("Akashoistec/secure-supply-chain-demo-app irsa-test.yaml", [pod(containers=[container(securityContext={"runAsNonRoot": True})])]),
    Manifest("Aysticky/yambo-data-r2q-spark-job k8s/irsa-test-pod.yaml", [pod(restartPolicy="Never")]),
    Manifest("arun037/external-dns dns", [deployment(namespace=SYSTEM, containers=[container(env=variables(AWS_DEFAULT_REGION="us-east-1"))])]),
    Manifest("utk231/Multi-Region-EKS-Application dns", [*rbac(None), deployment(namespace=None, securityContext={"fsGroup": 65534})]),
    Manifest("tsuki-yo/todo-table dns", [deployment(namespace=SYSTEM, serviceAccount="app", securityContext={"fsGroup": 65534})]),
    Manifest("henrique-sulimann/eks_cluster_fargate dns", [deployment(namespace=None, containers=[container(envFrom=[{"secretRef": {"name": "access"}}])])]),
    Manifest("Alikha17/taskapp k8s/secretstore.yaml", [store(jwt=reference())]),
    Manifest("Eunice2000/titanic-api k8s/secretstore.yaml", [store(jwt=reference(namespace="shop"))]),
    Manifest("praveenkumar0031/external-secrets-k8s k8s/secretstore.yaml", [store("ClusterSecretStore", None, jwt=reference(namespace="external-secrets"))]),
    Manifest("Saikarthik-M/python_todo_app k8s/secret-store.yaml", [store(namespace="default", jwt=reference("default"))]),
    Manifest("Bishoy-Samwel/eks-github-actions k8s/secretstore.yaml", [store("ClusterSecretStore", None)]),
    Manifest("MangeshGot/gatekeep k8s/secretstore.yaml", [store(**_KEYS)]),
    Manifest("itau-daily-banking/infra-eks irsa.yaml", [account(namespace=None)]),
    Manifest("AniketTancoder/personal-dashboard k8s/aws-load-balancer-controller.yaml", [account("", SYSTEM), *rbac(SYSTEM)]),
    Manifest("AKJ21/emlo-session19-kserve aws-cli-pod.yaml", [pod(namespace=None, restartPolicy="Always")]),
    Manifest("PrageethDevOps/eks_cluster_creation_cg aws-cli-pod.yaml", [deployment(None, "fintech")]),
    Manifest("awsandy/ekswkshp-std Beginner/IRSA/1.sh", [workload("Job", namespace=None, restartPolicy="Never")]),
    Manifest("gnswp21/chzzk_chat_dashboard k8s/aws-load-balancer-controller.yaml", [deployment(namespace=SYSTEM, serviceAccount="app", securityContext={"fsGroup": 65534})]),
    Manifest("thecodebeneath/eks-external-secrets-operator secret-store.yaml", [store(namespace=None, jwt=reference())]),
    Manifest("redhat-na-ssa/rosa-aws-secmgr-extsec-integration secret-store.yaml", [store()]),
    Manifest("theharish05/Production-Outage-Incident secret-store.yaml", [store("ClusterSecretStore", None)]),
    Manifest("laksh63/node-express-cd-platform k8s/external-secrets.yaml", [store(namespace=None), thing("ExternalSecret", "app", None, spec={"secretStoreRef": {"name": "store", "kind": "SecretStore"}, "target": {"template": {"data": {"URL": "{{ .url }}"}}}})]),
    Manifest("renujam/aws-devops-cicd-project k8s/secretproviderclass.yaml", [thing("SecretProviderClass", "app", spec={"provider": "aws", "parameters": {"usePodIdentity": "true", "objects": "- objectName: app\n"}})]),
    Manifest("puttamoses/car-project-microservices k8s/aws-load-balancer-controller.yaml", [thing("Application", "controller", "argocd", spec={"source": {"chart": "controller", "helm": {"parameters": [{"name": "serviceAccount.create", "value": "false"}]}}})]),
    # Account and pods.
    Manifest("SanjayNivasG/Exercise-02-IAM-IRSA-Failure manifests", [account(), deployment()]),
    Manifest("DouglasFriedmann/vault-istio-bedrock-eks k8s", [account(), deployment(containers=[container(env=variables(AWS_REGION="us-east-1"))])]),
    Manifest("Dmitry-Yemelin/eks-cluster ca", [account(namespace=SYSTEM), *rbac(SYSTEM), deployment(namespace=SYSTEM, volumes=[_CERTIFICATES])]),
    Manifest("V1cRR/ClusterAutoscaler ca", [account(namespace=SYSTEM), *rbac(SYSTEM), deployment(namespace=SYSTEM, annotations={"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}, volumes=[_CERTIFICATES])]),
    Manifest("subhashsurana/aws-eks-terraform-cluster ca", [account(namespace=SYSTEM), *rbac(SYSTEM), deployment(namespace=SYSTEM)]),
    Manifest("Booket24/capstone-project-tsacademy k8s, with its pods", [account(namespace="default"), deployment(namespace=None)]),
    Manifest("aws/aws-eks-best-practices issue 27", [account(), deployment(securityContext={"fsGroup": 65534})]),
    Manifest("argoproj/argo-workflows pull request 6406", [account(), deployment(securityContext={"fsGroup": 65534, "runAsNonRoot": True})]),
    Manifest("fluxcd/source-controller issue 284", [account(namespace="flux-system", name="default"), deployment("default", "flux-system")]),
    Manifest("external-secrets/kubernetes-external-secrets issue 622", [account(namespace=None), deployment(namespace=None, securityContext={"runAsUser": 1000, "fsGroup": 1000})]),
    Manifest("kubernetes/kops issue 16802", [account(), deployment(initContainers=[container("proxy", restartPolicy="Always")])]),
    Manifest("runatlantis/atlantis issue 1138", [account(), mutated()]),
    Manifest("openshift/hypershift pull request 1351", [account(namespace="default", name="default", eks__amazonaws="x"), mutated(None, "default")]),
    # Today's webhook mounts the token as long as a variable of its own is missing.
    Manifest("aws/amazon-eks-pod-identity-webhook issue 82", [account(), deployment(containers=[container(env=variables(**_BY_HAND))])]),
    Manifest("pravirgoosari/CandidStance k8s/aws-load-balancer-controller.yaml", [account(namespace=SYSTEM), deployment(namespace=SYSTEM, containers=[container(env=variables(AWS_REGION="us-east-1"), securityContext={"runAsNonRoot": True})])]),
    Manifest("tryretool/retool-helm issue 217", [account() | {"automountServiceAccountToken": False}, deployment(containers=[container(env=variables(**_BY_HAND))])]),
    Manifest("kubernetes-sigs/aws-load-balancer-controller issue 2627", [account(namespace=SYSTEM), mutated(namespace=SYSTEM)]),
    Manifest("aws/amazon-eks-pod-identity-webhook issue 228", [account(), mutated()]),
    # Kinds of operators.
    Manifest("kubeflow/spark-operator issue 1041", [account(), thing("SparkApplication", "job", spec=_SPARK)]),
    Manifest("kubeflow/spark-operator issue 1002, beside a deployment", [account(), thing("SparkApplication", "job", spec=_SPARK_CONF), deployment("web")]),
    Manifest("Aysticky/yambo-data-r2q-spark-job k8s, account filled in", [account(), account("", name="spark-operator"), thing("SparkApplication", "job", spec=_SPARK)]),
    Manifest("tarkyaio/tarka k8s/secretstore.yaml, with account and pods", [account(), store(jwt=reference()), deployment()]),
    Manifest("Alikha17/taskapp k8s, with account and pods", [account(), store(jwt=reference()), deployment("web")]),
    Manifest("cert-manager/cert-manager pull request 6878", [account(), thing("Issuer", "letsencrypt", spec=_ISSUER), deployment("web")]),
    Manifest("actions/actions-runner-controller issue 16, role filled in", [account(), workload("RunnerDeployment", automountServiceAccountToken=True)]),
    Manifest("DouglasFriedmann/vault-istio-bedrock-eks k8s/rollout.yaml", [account(), workload("Rollout")]),
    Manifest("changken/eks-app k8s/rollout.yaml", [workload("Rollout")]),
]  # fmt: skip

# The value of the annotation is not the ARN of a role.
_VALUES: list[tuple[str, list[Object]]] = [
    ("ASalad42/ELK alb", [account(role("${AWS_ACCOUNT_ID}"), "default")]),
    ("FatVictor/terraform-eks-autoscaling-alb alb", [account("<YOUR LOAD BALANCE ROLE ARN>", SYSTEM)]),
    ("veroagrisand/Portfolio alb", [account("arn:aws:iam:123456789012:role/app", SYSTEM)]),
    ("ionmelail/aws-k8s-argocd manifests/serviceaccount.yaml", [account(role("<ACCOUNT_ID>"), SYSTEM)]),
    ("ManavSagar3012/aiosop k8s/irsa.yaml", [account(role("AWS_ACCOUNT_ID")), account(role("AWS_ACCOUNT_ID"), name="backup"), *rbac()]),
    ("Akshai-Aks/github-action-eks sa", [account(role("<AWS_ACCOUNT_ID>"))]),
    ("AshwinMS17/url-shortener k8s", [account(role("<ACCOUNT_ID>")), deployment(securityContext=_NOBODY)]),
    ("AWS-Social-Network/social-platform-feed-service k8s", [account(role("ACCOUNT_ID"), "default"), deployment(namespace="default")]),
    ("DineshKNarayanankutty/mlops-aws-credit-risk k8s", [account(role("${ACCOUNT_ID}")), deployment(initContainers=_INIT, securityContext={"fsGroup": 1000})]),
    ("Ezekiel2030/capstone k8s/service-account.yaml", [account(role("${ACCOUNT_ID}"), "default")]),
    ("CarlosENdS/fiap-techchallenge-microservice-os-service k8s/service-account.yaml", [account("__IRSA_ROLE_ARN__")]),
    ("Harshads-git/aws-keda-eks-autoscaling manifests/serviceaccount.yaml", [account(role("${AWS_ACCOUNT_ID}"))]),
    ("magebase/base-infra extra-manifests/eso/service-account.yaml.tpl", [account(role("${AWS_ACCOUNT_ID}"))]),
    ("bsv-blockchain/storage-server ca", [deployment(namespace=SYSTEM, securityContext=_NOBODY), account(role("ACCOUNT_ID"), SYSTEM), *rbac(SYSTEM)]),
    ("sillyfrog/aws-eks-fargate-alb-example dns", [account("<insert ARN>"), *rbac(), deployment(securityContext={"fsGroup": 65534})]),
    ("actions/actions-runner-controller issue 16", [account("arn:aws:iam::<AWS_ACCOUNT_ID>:role/<IAM_ROLE>"), workload("RunnerDeployment", automountServiceAccountToken=True)]),
    ("MohannadKarim06/iris_mlops k8s/aws-load-balancer-controller.yaml", [account(role("ACCOUNT-ID"), SYSTEM), thing("Ingress", "app", None, spec={"rules": []})]),
    ("dominikcebula/aws-samples-spring-cloud-microservices-event-driven cicd/infra/eks/serviceaccount/kube_sa_template.tpl", [account("arn:aws:iam::${AWS_ACCOUNT_ID}:role/${SERVICE_ACCOUNT_NAME}", None, "${SERVICE_ACCOUNT_NAME}-sa")]),
    ("sz9751210/terraform aws/efs/modules/files/efs-csi-controller-sa.yaml.tpl", [account("arn:aws:iam::${account_id}:role/${iam_role_name}", SYSTEM)]),
    ("external-secrets/kubernetes-external-secrets issue 424", [account(role("123456"))]),
    ("kubernetes-sigs/aws-load-balancer-controller issue 1353", [account("an:aws-cn:iam::123456789012:role/app", SYSTEM)]),
]  # fmt: skip

# The pods' account has no role. Another way to credentials does not show in a manifest.
_WITHOUT: list[tuple[str, list[Object]]] = [
    ("Abhi94N/infra dns", [account("", None), *rbac(None), deployment(namespace=None, securityContext={"fsGroup": 65534})]),
    ("Vercryger/2048-k8s dns", [account("", None), *rbac(None), deployment(namespace=None)]),
    ("carmoIn/eks-deploy dns", [account("", None), *rbac(None), deployment(namespace=None)]),
    ("matthew-oneill/eks-logging-with-fluentbit fluent-bit.yaml", [account("", "cloudwatch"), *rbac("cloudwatch"), thing("ConfigMap", "app", "cloudwatch", data={"fluent-bit.conf": "region ${AWS_REGION}"}), workload("DaemonSet", namespace="cloudwatch", hostNetwork=True, containers=[container(env=_FROM_MAP)])]),
    ("DevSecOpsSamples/eks-gpu-autoscaling cluster-autoscaler-autodiscover.yaml", [account("", SYSTEM), *rbac(SYSTEM), deployment(namespace=SYSTEM, securityContext=_NOBODY, volumes=[_CERTIFICATES])]),
    ("Emerson89/eks-terraform cluster-autoscaler-autodiscover.yaml", [account("", SYSTEM), *rbac(SYSTEM), deployment(namespace=SYSTEM, volumes=[_CERTIFICATES])]),
    ("alexei-led/eks-private cluster-autoscaler-autodiscover.yaml", [account("", SYSTEM), *rbac(SYSTEM), deployment(namespace=SYSTEM, securityContext=_NOBODY, volumes=[_CERTIFICATES])]),
    ("JustusFaby/exercise-6-eks-node-scale-failure cluster-autoscaler-autodiscover.yaml", [account("", SYSTEM), *rbac(SYSTEM), deployment(namespace=SYSTEM, securityContext=_NOBODY | {"seccompProfile": {"type": "RuntimeDefault"}}, volumes=[_CERTIFICATES])]),
    ("jenithmehta/fluent-bit-kubernetes-cloudwatch-demo fluent-bit.yaml", [account("", "cloudwatch"), *rbac("cloudwatch"), workload("DaemonSet", namespace="cloudwatch", hostNetwork=True, containers=[container(env=[*_FROM_MAP, {"name": "AWS_ACCESS_KEY_ID", "valueFrom": {"configMapKeyRef": {"name": "app", "key": "id"}}}])])]),
    ("aws-observability/aws-otel-helm-charts issue 21", [account(""), workload("DaemonSet")]),
    ("NHDang273/EKS_YOLO ca", [account("", SYSTEM), *rbac(SYSTEM), deployment(namespace=SYSTEM, securityContext=_NOBODY)]),
    ("stprnvsh/sumo-k8 ca", [account("", SYSTEM), deployment(namespace=SYSTEM, containers=[container(env=variables(AWS_REGION="eu-central-2", AWS_STS_REGIONAL_ENDPOINTS="regional"))])]),
    ("Guptak12/IICPC-BenchGrid ca", [account("", SYSTEM), deployment(namespace=SYSTEM, containers=[container(env=variables(AWS_REGION="us-east-1"))])]),
    ("AMEOWZON-AMZ/Final_Backend k8s", [account("") | {"automountServiceAccountToken": True}, deployment()]),
    ("AZ1600/pharmacyEKS- k8s", [account("", None), deployment(namespace=None, automountServiceAccountToken=False)]),
]  # fmt: skip

_WRONG: list[tuple[str, list[Object], dict[str, str]]] = [
    ("aws/amazon-eks-pod-identity-webhook issue 200", [account("", **{"eks.amazon.com__role-arn": role()}), deployment()], {"M04": "fail"}),
    ("amazon-archives/k8s-cloudwatch-adapter issue 47", [account("", **{"iam.amazonaws.com__role": "app"}), deployment()], {"M04": "fail"}),
    ("Chimelijah/secure-eks-pipeline k8s", [account(namespace="default"), deployment(None, "default")], {"M02": "fail"}),
    ("qonto/prometheus-rds-exporter pull request 231", [account(name="rds-exporter"), deployment("rds-exporter-prometheus-rds-exporter")], {"M02": "warn fail"}),
    ("V1cRR/ClusterAutoscaler ca: the default account", [account(namespace=SYSTEM), deployment("default", SYSTEM)], {"M02": "fail"}),
    ("Chimelijah/secure-eks-pipeline k8s: another namespace", [account(namespace="default"), deployment(namespace="apps")], {"M03": "fail"}),
    ("kubernetes-sigs/external-dns issue 1979", [account(namespace="default"), deployment(namespace=SYSTEM)], {"M03": "fail"}),
    ("harness/developer-hub pull request 10711", [account(""), deployment(annotations={KEY: role()})], {"M01": "fail"}),
    ("crossplane-contrib/provider-aws issue 1467: the pod of the provider", [account(""), pod() | {"metadata": {"name": "provider", "namespace": "shop", "annotations": {KEY: role()}}}], {"M01": "fail"}),
    ("aws/amazon-eks-pod-identity-webhook issue 93", [account(**{"eks.amazonaws.com__skip-containers": "web"}), workload("Job")], {"M05": "warn"}),
    ("aws/amazon-eks-pod-identity-webhook issue 82: with the variables of today's webhook", [account(), deployment(containers=[container(env=variables(**_BY_HAND, AWS_REGION="eu-west-1", AWS_STS_REGIONAL_ENDPOINTS="regional"))])], {"M05": "warn fail"}),
    ("aws/amazon-eks-pod-identity-webhook issue 32", [account(), deployment(containers=[container(env=variables(AWS_ROLE_ARN=role("999999999999")))])], {"M05": "fail"}),
    ("aws/amazon-eks-pod-identity-webhook pull request 196", [account(), pod(containers=[container(env=variables(AWS_ROLE_ARN=role(), AWS_WEB_IDENTITY_TOKEN_FILE=f"{MOUNT}/token"), volumeMounts=[{"name": "aws-iam-token", "mountPath": MOUNT}])], volumes=[token("pods.eks.amazonaws.com")])], {"M05": "fail"}),
    # Sound ones with a typical mistake.
    ("SanjayNivasG/Exercise-02-IAM-IRSA-Failure manifests: before", [account(""), deployment()], {"M04": "warn fail unknown"}),
    ("Aysticky/yambo-data-r2q-spark-job k8s", [account(role("ACCOUNT_ID")), account("", name="operator"), thing("SparkApplication", "job", spec=_SPARK)], {"M04": "fail"} | dict.fromkeys(("M01", "M02", "M03", "M05"), "unknown")),
    ("SanjayNivasG/Exercise-02-IAM-IRSA-Failure manifests: no account", [account(), deployment(None)], {"M02": "fail"}),
    ("DouglasFriedmann/vault-istio-bedrock-eks k8s: a slip", [account(), deployment("apps")], {"M02": "fail"}),
    ("Dmitry-Yemelin/eks-cluster ca: another namespace", [account(namespace=SYSTEM), deployment(namespace="autoscaler")], {"M03": "fail"}),
    ("runatlantis/atlantis issue 1138: keys beside it", [account(), deployment(containers=[container(env=variables(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="y"))])], {"M05": "fail"}),
    ("DouglasFriedmann/vault-istio-bedrock-eks k8s/rollout.yaml: annotation on its pods", [account(""), workload("Rollout", annotations={KEY: role()})], {"M01": "fail"}),
    ("AnuragBaiju/self-healing-gitops-platform k8s/rollout.yaml, with a role", [account(), workload("Rollout", None)], {"M02": "fail"}),
]  # fmt: skip

WRONG: list[Manifest] = [
    *(Manifest(source, objects, {"M04": "fail"}) for source, objects in _VALUES),
    *(Manifest(source, objects, {"M04": "warn unknown"}) for source, objects in _WITHOUT),
    *(Manifest(source, objects, problems) for source, objects, problems in _WRONG),
]

_APPLICATION = {
    "source": {
        "chart": "cluster-autoscaler",
        "helm": {"values": f"rbac:\n  serviceAccount:\n    annotations:\n      {KEY}: {role()}\n"},
    }
}

#: The annotation stands in kinds that are not read: no problem, and not "ok" either.
UNREAD: list[Manifest] = [
    Manifest("crossplane-contrib/provider-aws issue 1467", [thing("ControllerConfig", "aws-config", None, spec={"metadata": {"annotations": {KEY: role()}}})]),
    Manifest("crossplane/crossplane issue 5578", [thing("DeploymentRuntimeConfig", "irsa", None, spec={"serviceAccountTemplate": {"metadata": {"annotations": {KEY: role()}}}})]),
    Manifest("CrunchyData/postgres-operator pull request 2845", [thing("PostgresCluster", "db", spec={"metadata": {"annotations": {KEY: role()}}})]),
    Manifest("openshift/configuration-anomaly-detection pull request 838", [thing("Template", "app", None, objects=[account("${SA_ROLE_ARN}")])]),
    Manifest("jazzlyj/aws_eks_argocd ca", [thing("Application", "autoscaler", spec=_APPLICATION)]),
]  # fmt: skip
