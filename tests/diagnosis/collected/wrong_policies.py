"""Wrong or too broad trust policies of public repositories and threads, with verdict and cause.

Then sound ones with the token of a typical mistake: another namespace, branch or cluster. The
abbreviated file names are those of `sound_policies`.
"""
# ruff: noqa: E501 - one row of a table is one line

from __future__ import annotations

from typing import Any

from diagnosis.collected.shapes import (
    ACCOUNT,
    AKS,
    BUILDKITE,
    CIRCLECI,
    CONTROLLER,
    DRIVER,
    EKS,
    GITHUB,
    MAIN,
    NUMBERED,
    ORGANIZATION,
    RECREATED,
    ROLE,
    STS,
    TERRAFORM,
    VERCEL,
    Case,
    account_of,
    arn,
    eks,
    equals,
    job,
    only,
    pod,
    policy,
    split,
    statement,
    trust,
)

_CIRCLECI = job(f"org/{ORGANIZATION}/project/1/user/2", CIRCLECI, aud=ORGANIZATION)
_ENVIRONMENT = job("repo:acme/app:environment:prod")
_PULL_REQUEST = job("repo:acme/app:pull_request")
_OTHER = eks(cluster=RECREATED)
_EXAMPLE = eks("region-code", "EXAMPLED539D4633E53DE1B71EXAMPLE")
_EC2 = {
    "Effect": "Allow",
    "Principal": {"Service": "ec2.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
_PODS = {
    "Effect": "Allow",
    "Principal": {"Service": "pods.eks.amazonaws.com"},
    "Action": ["sts:AssumeRole", "sts:TagSession"],
}
_SELF = {
    "Sid": "ExplicitSelfRoleAssumption",
    "Effect": "Allow",
    "Principal": {"AWS": "*"},
    "Action": "sts:AssumeRole",
    "Condition": {"ArnLike": {"aws:PrincipalArn": ROLE}},
}
_BOTH = {
    f"{EKS}:sub": account_of("karpenter:karpenter"),
    f"{_OTHER}:sub": account_of("karpenter:karpenter"),
}


def alb(**options: Any) -> dict[str, Any]:
    """Return the load balancer controller's policy with a mistake."""
    return equals(EKS, account_of(CONTROLLER), **options)


def ebs(**options: Any) -> dict[str, Any]:
    """Return the policy of the EBS CSI driver with a mistake."""
    return equals(EKS, account_of(DRIVER), **options)


def repository(**options: Any) -> dict[str, Any]:
    return split(GITHUB, "repo:acme/app:*", **options)


def filled(provider: str, account: str = ACCOUNT) -> dict[str, Any]:
    """Return a policy whose provider is a placeholder, in the ARN and in the keys."""
    return equals(provider, account_of(DRIVER), federated=arn(provider, account))


# The account in the provider's ARN is not filled in. The role's ARN is not at hand.
_ACCOUNTS: list[tuple[Any, ...]] = [
    ("ASalad42/ELK alb", alb(federated=arn(EKS, "${AWS_ACCOUNT_ID}")), pod(CONTROLLER)),
    ("willis-welcome/devsecops-pipeline gh", repository(federated=arn(GITHUB, "<AWS_ACCOUNT_ID>")), job()),
    ("infojasyrc/app-developer-experience cloud/terraform/aws/terraform-trust-policy.json.tpl", repository(federated=arn(GITHUB, "__AWS_ACCOUNT_ID__")), job()),
    ("ionmelail/aws-k8s-argocd iam/trust-policy.json, cluster filled in", only(EKS, account_of(CONTROLLER), federated=arn(EKS, "<ACCOUNT_ID>")), pod(CONTROLLER)),
    ("deanflanagan/automating_kafka_reboots trust-relationship.json, cluster filled in", equals(EKS, account_of("shop:reports"), federated=arn(EKS, "<account-number>")), pod("shop:reports")),
    ("Emerson89/ext-secrets-sm trust-policy.json, cluster filled in", equals(EKS, account_of("shop:reports"), federated=arn(EKS, "<ACCOUNT-ID>>")), pod("shop:reports")),
    ("obezpalko/aws-node-retag iam/trust-policy.json, cluster filled in", equals(EKS, account_of("shop:reports"), federated=arn(EKS, "ACCOUNT_ID")), pod("shop:reports")),
    ("msdp-platform/msdp-devops-infrastructure external-dns-trust-policy.json", equals(AKS, account_of("dns:dns"), federated=arn(AKS, "YOUR_AWS_ACCOUNT_ID")), pod("dns:dns", AKS)),
    ("VivekSR602/ordering-app gh, user filled in", equals(GITHUB, MAIN, federated=arn(GITHUB, "")), job()),
    ("lngqaza/sanlamconnect-lxp gh, subject filled in", split(GITHUB, MAIN, federated=f"arn:aws:iam::-provider/{GITHUB}"), job()),
    ("QuantEcon/workflow-backups aws/trust-policy.json", repository(federated=arn(GITHUB, "ACCOUNT_ID")), job()),
    ("jensonjoseph/aws-iam-policies github-actions-trust-policy.json", repository(federated=arn(GITHUB, "YOUR_ACCOUNT_ID")), job()),
    ("koolkaps/eks-cicd-taskflow k8s/trust-policy.json", split(GITHUB, MAIN, federated=arn(GITHUB, "1234-5678-9012")), job()),
    ("akshaya1023/langgraph-agent iam/github-oidc-trust-policy.json", split(GITHUB, MAIN, federated=arn(GITHUB, "<123456789012>")), job()),
    ("prakharporwal/bank-server eks/trust-policy.json", trust(EKS, federated=arn(EKS, "123456789"), StringEquals={"aud": STS}), pod("shop:reports")),
    ("Tebza17/BMW_Flask_Assignment iam/github-oidc-trust-policy.json", split(GITHUB, [MAIN, "repo:acme@*/app@*:ref:refs/heads/main"], federated=arn(GITHUB, "<AWS_ACCOUNT_ID>")), job()),
    ("external-secrets/kubernetes-external-secrets issue 424", only(EKS, account_of("shop:reports"), federated=arn(EKS, "123456")), pod("shop:reports")),
    ("AwesomeCICD/ceratf-module-eks templates/oidc_assume_role.json.tpl, organization filled in", trust(CIRCLECI, federated=arn(CIRCLECI, "${AWS_ACCOUNT_ID}"), StringEquals={"aud": ORGANIZATION}), _CIRCLECI),
]  # fmt: skip

# The principal is not the token's issuer.
_PRINCIPALS: list[tuple[Any, ...]] = [
    ("SUNILKUMARKUMAWAT371/aws-load-balancer-controller alb", equals(_EXAMPLE, account_of(CONTROLLER), federated=arn(_EXAMPLE, "111122223333")), pod(CONTROLLER)),
    ("methamode/k8s alb", equals(eks("region-code"), account_of(CONTROLLER)), pod(CONTROLLER)),
    ("prajwal14/newrepo alb", alb(federated=f"arn:aws:iam::{ACCOUNT}:{EKS}"), pod(CONTROLLER)),
    ("aws-ia/terraform-aws-eks-blueprints-addons issue 326", alb(federated=EKS), pod(CONTROLLER)),
    ("William-eng/EKS-Cluster-Terraform ebs", ebs(federated=f"arn:aws:iam::{ACCOUNT}:role/cluster"), pod(DRIVER)),
    ("dybran/Project-25 ebs", filled("oidc.eks.eu-west-1.amazonaws.com/id/$oidc_id"), pod(DRIVER)),
    ("mimi-netizen/EKS-Cluster-with-Terraform ebs", filled("oidc.eks.eu-west-1.amazonaws.com/id/<your oidc>"), pod(DRIVER)),
    ("salasberryfin/ebs-csi-driver-eks ebs", filled("oidc.eks.{AWS_REGION}.amazonaws.com/id/{OIDC}", "{AWS_ACCOUNT_ID}"), pod(DRIVER)),
    ("openshift/rosa pull request 3280", filled("{OIDC_PROVIDER_URL}", "{AWS_ACCOUNT_ID}"), pod(DRIVER)),
    ("girmaat/aws-eks-irsa-Infra iam/trust-policy.json", filled("oidc.eks.<REGION>.amazonaws.com/id/<OIDC_ID>", "<ACCOUNT_ID>"), pod(DRIVER)),
    ("harsh123-dev/self-healing-ci-cd-main irsa-trust-policy.json", only(eks(cluster="CLUSTER_OIDC_ID"), account_of("default:catalog")), pod("default:catalog")),
    ("sujith-es/flipt-feature-flag-poc ebs", ebs(federated=arn(EKS, partition="aws-cn"), keys=EKS.replace(".com", ".com.cn")), pod(DRIVER)),
    ("AltamashBebal/k8s_files trust-policy.json", only(f"oidc.eks.eu-west-1.amazonaws.com/id/https://{EKS}", account_of(DRIVER)), pod(DRIVER)),
    ("mobeloper/enterprise-clinical-ner gho", split("://githubusercontent.com", MAIN, "://amazonaws.com"), job()),
    ("aws/amazon-eks-pod-identity-webhook issue 30", only(EKS, account_of("default:aws"), federated=arn(EKS.replace("eks.eu-west-1", "eu-west-1.eks"))), pod("default:aws")),
    ("aws-actions/configure-aws-credentials issue 280", only(f"vs{GITHUB}", "repo:acme/app:*", "StringLike"), job()),
    ("crossplane-contrib/provider-aws pull request 1331", only(EKS, account_of("shop:reports"), federated=arn(EKS, "999999999999")), pod("shop:reports")),
    ("KaustubhDhokte/aws-irsa irsa-trust-policy.json", policy(statement({"AWS": f"arn:aws:iam::{ACCOUNT}:user/dev"})), pod("shop:reports")),
    ("SVestor/kube-dep-aws aws-efs-csi-driver-trust-policy.json", trust(_EXAMPLE, federated=arn(_EXAMPLE, "111122223333"), StringLike={"aud": STS, "sub": account_of("kube-system:efs-csi-*")}), pod("kube-system:efs-csi-node-sa")),
    ("kawamotohiroakiTest/live-go-backend eks/trust-policy.json", equals(eks(cluster="EXAMPLE"), account_of(CONTROLLER)), pod(CONTROLLER)),
    ("CHOUBISAAD/fitness-tracker-microservices k8s/trust-policy.json", only(eks(cluster=""), account_of(CONTROLLER)), pod(CONTROLLER)),
    ("Nareshgundavelli/web k8s/trust-policy.json", only(eks(cluster="1234567890abcdef"), account_of("web:app")), pod("web:app")),
    ("CapSoftware/Cap pull request 1059: the global issuer", equals(VERCEL, "owner:acme:project:app:environment:production", "https://vercel.com/acme"), job("owner:acme:project:app:environment:production", "oidc.vercel.com", aud="https://vercel.com/acme")),
    ("Gensogram-Inc/Kubernetes trust-policy.json: the cluster of the keys", only(EKS, account_of("shop:reports"), keys=_OTHER), pod("shop:reports", _OTHER)),
]  # fmt: skip

# The condition keys do not begin with the token's issuer.
_KEYS: list[tuple[Any, ...]] = [
    ("Singh-0328/EKS-Pods-to-AWS-Services-with-IAM-Roles-for-Service-Accounts-IRSA- trust-relationship.json", equals(EKS, account_of("test:nginx"), keys="$oidc_provider"), pod("test:nginx")),
    ("calvin-puram/aws-load alb", alb(keys=eks(cluster="EXAMPLED539D4633E53DE1B71EXAMPLE")), pod(CONTROLLER)),
    ("mjuharia/customer-service alb", alb(keys=eks("region-code")), pod(CONTROLLER)),
    ("McDuckerton/eks-ansible-demo alb", trust(EKS, StringEquals={f"https://{EKS}:aud": STS, "sub": account_of(CONTROLLER)}), pod(CONTROLLER)),
    ("Taiwolawal/EFK-PROJECT ebs", ebs(keys=eks("region-code")), pod(DRIVER)),
    ("citadelict/EKS_Cluster_With_Terraform ebs", ebs(keys=_EXAMPLE), pod(DRIVER)),
    ("hermag/eks-terraform ebs", ebs(keys=_EXAMPLE), pod(DRIVER)),
    ("Gensogram-Inc/Kubernetes trust-policy.json", only(EKS, account_of("shop:reports"), keys=_OTHER), pod("shop:reports")),
    ("aws/karpenter-provider-aws issue 1666", only(EKS, account_of("karpenter:karpenter"), "StringLike", keys=arn(EKS)), pod("karpenter:karpenter")),
    ("CircleCI-Public/server-terraform nomad_irsa_trust_policy.tpl: the URL as variable", trust(EKS, StringEquals={f"https://{EKS}:sub": account_of("server:nomad")}), pod("server:nomad")),
    ("shkim4u/aws-database-migration create_travelbuddy_pod_service_account_role_trust_policy.sh, not expanded", only(EKS, account_of("shop:reports"), keys="${ISSUER_HOSTPATH}"), pod("shop:reports")),
    ("jayadeyemi/gen3-dev old/ack-test/scripts/lib/trust-relationship.sh, keys not expanded", only(EKS, account_of("shop:reports"), keys="${OIDC_HOST}"), pod("shop:reports")),
    ("apipinic/translation-service-infrastructure k8s/trust-policy.json", only(EKS, account_of(CONTROLLER), keys=_OTHER), pod(CONTROLLER)),
    ("Hafiz-mn/crud-dd-task-mean-app k8s/trust-policy.json", equals(EKS, account_of("loki:loki"), keys=eks(cluster="< OIDC ID >")), pod("loki:loki")),
    ("hashicorp-education/learn-terraform-dynamic-credentials pull request 1", split("tfe.example.com", "organization:acme:project:p:workspace:w:run_phase:*", "aws.workload.identity", keys=TERRAFORM), job("organization:acme:project:p:workspace:w:run_phase:plan", "tfe.example.com", aud="aws.workload.identity")),
    ("450gowsik/eks-irsa-demo- trust-policy.json, principal filled in", equals(EKS, account_of("shop:reports"), keys="<OIDC_PROVIDER>"), pod("shop:reports")),
]  # fmt: skip

# Other causes, or more than one mistake, of which any may come first.
_SEVERAL: list[tuple[Any, ...]] = [
    ("aws/aws-cdk issue 31128", repository(action="sts:AssumeRole"), job(), ("P01",)),
    ("aws-actions/configure-aws-credentials issue 672", trust(GITHUB, StringEquals={"sub": "repo:acme/app:environment:prod", "iss": f"https://{GITHUB}", "aud": STS}), _ENVIRONMENT, ("P09",)),
    ("aws/karpenter-provider-aws issue 1313: one statement", policy(statement({"Federated": [arn(EKS), arn(_OTHER)]}, StringEquals=_BOTH)), pod("karpenter:karpenter"), ("P03", "P07")),
    ("450gowsik/eks-irsa-demo- trust-policy.json", equals("<OIDC_PROVIDER>", "system:serviceaccount:<NAMESPACE>:<SERVICE_ACCOUNT_NAME>", federated=arn("<OIDC_PROVIDER>", "<AWS_ACCOUNT_ID>")), pod("shop:reports"), ("P02", "P03", "P04")),
    ("lazySmartDev/EKS trust-relationship.json", equals("$oidc_provider", "system:serviceaccount:$namespace:$service_account", federated=arn("$oidc_provider", "$account_id")), pod("shop:reports"), ("P02", "P03", "P04")),
    ("salioudjalo/eks-eso-aws-secrets-manager iam/trust-policy.json", equals(EKS, "system:serviceaccount:<K8S_NAMESPACE>:<K8S_SERVICE_ACCOUNT>", federated=arn("<OIDC_PROVIDER>", "<AWS_ACCOUNT_ID>")), pod("shop:reports"), ("P02", "P04")),
    ("pvaidyan/guidance-for-multi-region-resilient-microservice-on-aws trust-relationship.json", trust("", federated="arn:aws:iam:::oidc-provider/", StringEquals={":aud": STS, ":sub": "system:serviceaccount::"}), pod("shop:reports"), ("P02", "P03")),
    ("nizam6486/poc-3 oidc", split(GITHUB, "repo:<YOUR_GITHUB_USER>/<YOUR_REPO_NAME>:*", federated=arn(GITHUB, "<AWS_ACCOUNT_ID>")), job(), ("P02", "P04")),
    ("victorgalantech/terraform-aws-github-oidc gh", split(GITHUB, "repo:YOUR_GITHUB_ORG/*", federated=arn(GITHUB, "YOUR_ACCOUNT_ID")), job(), ("P02", "P04")),
    ("jakub-dunak/SecureAuditAI oidc", split(GITHUB, "repo:${GITHUB_ORG}/${REPO_NAME}:*", federated=arn(GITHUB, "${AWS_ACCOUNT_ID}")), job(), ("P02", "P04", "P12")),
    ("VivekSR602/ordering-app gh", equals(GITHUB, "repo:YOUR_USERNAME/app:ref:refs/heads/main", federated=arn(GITHUB, "")), job(), ("P02", "P04")),
    ("modiS24/retail-store-sample-app gho", split(GITHUB, "repo:YOUR_GITHUB_USERNAME/app:*", federated=arn(GITHUB, "YOUR_ACCOUNT_ID"), action="sts:AssumeRole"), job(), ("P01", "P02", "P04")),
    ("chorrell/packer-aws-windows-openssh github-actions-trust-policy.json", split(GITHUB, "repo:YOUR_GITHUB_ORG/app:*", federated=arn(GITHUB, "YOUR_ACCOUNT_ID")), job(), ("P02", "P04")),
    ("code4mk/aws-github-oidc-setup trust-policy.json", split(GITHUB, "SUBJECT_CLAIM", federated=arn(GITHUB, "ACCOUNT_ID")), job(), ("P02", "P04")),
    ("AnishKini007/aws-devops-platform ebs-trust-policy.json", filled("oidc.eks.eu-west-1.amazonaws.com/id/<EKS_OIDC_ID>", "<AWS_ACCOUNT_ID>"), pod(DRIVER), ("P02",)),
    ("MubashirUsman/k8s_manifests trust_policy.json", equals(EKS, account_of(DRIVER), "sts.amazon.com", federated="arn:aws:iam::<Open ID Connect URL>", keys=eks("es-east-1")), pod(DRIVER), ("P02", "P03", "P06")),
    ("JohnyVasamsetti/expose-application-on-eks assume-role-policy.json", trust("${oidc_provider}", federated=arn("${oidc_provider}", "${account_id}")), pod(CONTROLLER), ("P02",)),
    ("pradeep6/velero-helm velero-trust-policy.json", policy(_EC2, statement({"AWS": f"arn:aws:iam::{ACCOUNT}:role/kube2iam"}, "sts:AssumeRole")), pod("velero:velero"), ("P01", "P02")),
    ("Oluwaseun186/volume-cluster ebs-trust-policy.json", policy(_EC2 | {"Principal": {"Service": "eks.amazonaws.com"}}), pod(DRIVER), ("P01", "P02")),
    ("aws-samples/aiops-eks trust-policy.json", policy(_EC2, statement({"AWS": "arn:aws:iam::<ACCOUNT_ID>:role/nodes"}, "sts:AssumeRole")), pod("ops:agent"), ("P01", "P02")),
    ("aws-actions/configure-aws-credentials issue 701", trust(GITHUB, StringEquals={"aud": STS, "job_workflow_sha": "0123abc"}, StringLike={"sub": "repo:acme/app:*"}), job(job_workflow_sha="0123abc"), ("P09",)),
    ("Abhishek-EN/Karpenter controller-trust-policy.json", equals("${OIDC_ENDPOINT#*//}", account_of("karpenter:karpenter"), federated=arn("${OIDC_ENDPOINT#*//}", "${AWS_ACCOUNT_ID}", "${AWS_PARTITION}")), pod("karpenter:karpenter"), ("P02", "P03")),
    ("shlapolosa/idp controller-trust-policy.json", equals("", account_of("kube-system:karpenter")), pod("kube-system:karpenter"), ("P02", "P03")),
    ("jubril-adeyi/3-tier-app-eks k8s/trust-policy.json", only(GITHUB, "repo:/:*", "StringLike", federated=arn(GITHUB, "1234567890123")), job(), ("P02", "P04")),
    ("RazKimhi13/namegen-eks iam/github-oidc-trust-policy.json", split(GITHUB, "repo:<GITHUB_ORG>/<GITHUB_REPO>:*", federated=arn(GITHUB, "<AWS_ACCOUNT_ID>")), job(), ("P02", "P04")),
    ("andithang/aws-practice iam/github-oidc-trust-policy.json", split(GITHUB, "repo:<GITHUB_ORG>/<GITHUB_REPO>:ref:refs/heads/main", federated=arn(GITHUB, "<ACCOUNT_ID>")), job(), ("P02", "P04")),
    ("patriciaOrtuno28/AWS-DevOps-Automated-Exercise iam/github-oidc-trust-policy.json", split(GITHUB, "repo:{{GITHUB_ORG}}/{{GITHUB_REPO}}:*", federated=arn(GITHUB, "{{AWS_ACCOUNT_ID}}")), job(), ("P02", "P04")),
    ("ThanishqPaluru12/cicdApplication iam/github-oidc-trust-policy.json", split(GITHUB, ["repo:GITHUB_ORG/GITHUB_REPO:ref:refs/heads/main", "repo:GITHUB_ORG/GITHUB_REPO:ref:refs/heads/release/*"], federated=arn(GITHUB, "AWS_ACCOUNT_ID")), job(), ("P02", "P04")),
    ("buildkite/docs pull request 2750", split(BUILDKITE, "organization:ORGANIZATION_SLUG:pipeline:PIPELINE_SLUG:ref:REF:commit:BUILD_COMMIT:step:STEP_KEY", federated=arn(BUILDKITE, "AWS_ACCOUNT_ID"), IpAddress={"aws:SourceIp": ["AGENT_PUBLIC_IP_ONE", "AGENT_PUBLIC_IP_TWO"]}), job("organization:acme:pipeline:app:ref:refs/heads/main:commit:1:step:deploy", BUILDKITE), ("P02", "P04")),
    ("final-project-blog/estate-agent k8s/trust-policy.json", policy(statement({"AWS": f"arn:aws:iam:{ACCOUNT}:root"}, "sts:AssumeRole")), pod("shop:reports"), ("P01", "P02")),
    ("jicowan/ENIConfig-Node-Annotator role-trust-policy.json", policy(_EC2 | {"Sid": ""}, statement({"AWS": f"arn:aws:iam::{ACCOUNT}:role/nodes"}, "sts:AssumeRole")), pod("kube-system:annotator"), ("P01", "P02")),
    ("studentodion7/Capstone k8s/trust-policy.json", policy(_EC2), pod(CONTROLLER), ("P01", "P02")),
    ("AsqaralievFakhriyor/flask-deploy-aws trust.json", policy(statement({"AWS": "arn:aws:iam::<access_key>:root"}, "sts:AssumeRole")), job(), ("P01", "P02")),
    ("aws/aws-node-termination-handler issue 373", policy(_EC2), pod("kube-system:handler"), ("P01", "P02")),
    ("kubernetes-sigs/aws-load-balancer-controller issue 1935", policy(_EC2 | {"Sid": ""}), pod(CONTROLLER), ("P01", "P02")),
    ("kubernetes-sigs/external-dns issue 1074", policy(_EC2, statement({"AWS": f"arn:aws:iam::{ACCOUNT}:role/nodes"}, "sts:AssumeRole")), pod("dns:dns"), ("P01", "P02")),
    ("Secuoyas-Experience/sqy-tf-eks terraform/common/oidc/iam-tc-project-toolbox-role.tf", split(TERRAFORM, "*", "*"), job("organization:acme:project:p:workspace:w:run_phase:plan", TERRAFORM, aud="aws.workload.identity"), ("P05", "P06")),
]  # fmt: skip

# The subject does not match.
_SUBJECTS: list[tuple[Any, ...]] = [
    ("Dana0914/rsschool-devops-course-tasks gh", only(GITHUB, "repo:acme/app.git:*", "StringLike"), job()),
    ("josephgultekin/devops-aws gh", split(GITHUB, "repo:github.com/acme/app:*"), job()),
    ("AshokNaidu-Code/aws-security-compliance-framework gh", split(GITHUB, "repo:YOUR_GITHUB_USERNAME/app:*"), job()),
    ("bootkorea/kube-garden gh", split(GITHUB, "repo:YOUR_GITHUB_USERNAME/*:*"), job()),
    ("ccarrylab/SuperBowlEdge-Chaos gh", split(GITHUB, "repo:acme/super-app-edge:*"), job("repo:acme/SuperAppEdge:ref:refs/heads/main")),
    ("aowens04/fastapi-docker-ao gh: the repository's name", split(GITHUB, "repo:acme/fastap:*"), job("repo:acme/fastapi-docker:ref:refs/heads/main")),
    ("PedroMarta04/week11-project oidc", split(GITHUB, "repo:acme/app:*"), job("repo:Acme04/app:ref:refs/heads/main")),
    ("tgrviswanath/my-aws gh: the repository's name", split(GITHUB, "repo:acme/terraform-aws:*"), job("repo:acme/my-aws:ref:refs/heads/main")),
    ("aws-actions/configure-aws-credentials issue 511", trust(GITHUB, StringLike={"sub": MAIN, "aud": STS}), _ENVIRONMENT),
    ("aws-actions/configure-aws-credentials issue 900", split(GITHUB, "repo:acme/app:ref:refs/heads/*"), job("repo:acme/app:environment:dev")),
    ("aws-actions/configure-aws-credentials issue 1024", split(GITHUB, "repo:acme/app:ref:refs/heads/test"), job("repo:acme/app:environment:develop")),
    ("aws-actions/configure-aws-credentials issue 452", trust(GITHUB, ForAllValues_StringEquals={"aud": STS}, ForAllValues_StringLike={"sub": "repo:acme/*:ref:refs/heads/*"}), _ENVIRONMENT),
    ("aws-actions/configure-aws-credentials issue 1100", equals(GITHUB, MAIN), job("repo:Acme/app:ref:refs/heads/main")),
    ("aws-actions/configure-aws-credentials issue 686", split(GITHUB, "repo:acme/*"), job("repo:ACME/app:ref:refs/heads/main")),
    ("aws-actions/configure-aws-credentials issue 1888", split(GITHUB, MAIN), job(NUMBERED)),
    ("terraform-aws-modules/terraform-aws-iam issue 659", split(GITHUB, [MAIN]), job(NUMBERED)),
    ("towardsthecloud/aws-cdk-starter-kit pull request 87", split(GITHUB, "repo:acme/app:environment:prod"), job("repo:acme@123/app@456:environment:prod")),
    ("femiwiki/femiwiki issue 546", equals(GITHUB, MAIN), job(NUMBERED)),
    ("ministryofjustice/modernisation-platform issue 3909", split(GITHUB, "repo:acme/app"), _PULL_REQUEST),
    ("qonto/prometheus-rds-exporter pull request 231", equals(EKS, account_of("monitoring:rds-exporter")), pod("monitoring:rds-exporter-prometheus-rds-exporter")),
    ("aws-ia/terraform-aws-eks-blueprints-addons issue 267", equals(EKS, account_of("certs:cert-manager")), pod("certs:cert-man-cert-manager")),
    ("awslabs/data-on-eks issue 338", equals(EKS, account_of("ray:ray-single-user")), pod("ray:dev-ray-single-user")),
    ("cert-manager/aws-privateca-issuer issue 277", equals(EKS, account_of("cert-manager-issuer:cert-manager")), pod("issuer:issuer-sa")),
    ("kubernetes/autoscaler issue 4922", equals(EKS, account_of("sre:aws-load-balancer-controller")), pod("sre:cluster-autoscaler-aws-cluster-autoscaler")),
    ("terraform-aws-modules/terraform-aws-eks issue 801", only(EKS, account_of("kube-system:cluster-autoscaler-aws-cluster-autoscaler")), pod("default:cluster-autoscaler-aws-cluster-autoscaler")),
    ("terraform-aws-modules/terraform-aws-eks issue 1083", only(EKS, account_of("kube-system:cluster-autoscaler-aws-cluster-autoscaler")), pod("kube-system:cluster-autoscaler-aws-cluster-autoscaler-chart")),
    ("terraform-aws-modules/terraform-aws-iam pull request 53", only(EKS, account_of("core:sa2")), pod("core:sa1")),
    ("alphagov/govuk-infrastructure pull request 441", equals(EKS, account_of("cluster-services:aws-load-balancer-controller")), pod(CONTROLLER)),
    ("aws/karpenter-provider-aws issue 1421", equals(EKS, account_of("karpenter:cluster-karpenter")), pod("karpenter:karpenter")),
    ("aws/karpenter-provider-aws issue 1595", equals(EKS, account_of("karpenter:karpenter")), pod("karpenter:release-karpenter")),
    ("kubernetes-sigs/external-dns issue 1979", equals(EKS, account_of("default:external-dns")), pod("kube-system:external-dns")),
    ("aprin-labs/archimedes pull request 1759", split(GITHUB, MAIN), job(NUMBERED)),
    ("devops329/devops pull request 233", equals(GITHUB, MAIN), job(NUMBERED)),
    ("RoboFinSystems/robosystems pull request 1371: names", split(GITHUB, [MAIN, "repo:acme/app:ref:refs/heads/staging"]), job(NUMBERED)),
    ("cloudposse/atmos pull request 2560", split(GITHUB, "repo:YOUR_ORG/YOUR_REPO:*"), job()),
    ("rishawsingh/prod-eks-setup k8s/trust-policy.json", only(GITHUB, "repo:your-github:*", "StringLike"), job()),
    ("Arcadia-Science/data-hub pull request 228: a preview", equals(VERCEL, ["owner:acme:project:app:environment:production"], "https://vercel.com/acme"), job("owner:acme:project:app:environment:preview", VERCEL, aud="https://vercel.com/acme")),
    # Sound policies with the token of a typical mistake.
    ("GoormAnchor/k8s alb: another namespace", only(EKS, account_of(CONTROLLER)), pod("default:aws-load-balancer-controller")),
    ("ASalad42/ELK alb: the chart's namespace", equals(EKS, account_of("default:aws-load-balancer-controller")), pod(CONTROLLER)),
    ("kebsOps/Project-25 ebs: the node's account", ebs(), pod("kube-system:ebs-csi-node-sa")),
    ("anishbhatk/keda-sqs-demo iam/trust-policy.json: default", equals(EKS, account_of("demo:worker")), pod("demo:default")),
    ("khanasif1/aws-eks-keda-karpenter trust-relationship.json: a third account", equals(EKS, [account_of("keda:operator"), account_of("keda:keda")]), pod("keda:metrics")),
    ("Sahana-Phdata/s3-glue-pipeline gh: another branch", equals(GITHUB, MAIN), job("repo:acme/app:ref:refs/heads/feature/x")),
    ("abuyak/Schools gh: main", equals(GITHUB, "repo:acme/app:ref:refs/heads/master"), job()),
    ("Vishwajeet874/railbook gh: a tag", equals(GITHUB, MAIN), job("repo:acme/app:ref:refs/tags/v1.2.0")),
    ("BrayanPacheco05/reto_sysops gh: a pull request", split(GITHUB, MAIN), _PULL_REQUEST),
    ("protofire/telos-privacy-wallet gh: an environment", split(GITHUB, MAIN), _ENVIRONMENT),
    ("AyushChoudhary6/biomarine-ai gh: immutable subjects", split(GITHUB, "repo:acme/app:*"), job(NUMBERED)),
    ("AlexKanj/test-aws-oidc-ak gh: immutable subjects", split(GITHUB, "repo:acme/*:*"), job(NUMBERED)),
    ("aidaikin91/projectx-repo gh: immutable subjects", split(GITHUB, [MAIN, "repo:acme/app:environment:dev"]), job("repo:acme@123/app@456:environment:dev")),
    ("Thom-ASM/FanChat gh: names", equals(GITHUB, NUMBERED), job()),
    ("Nodirbekaws/devops gh: the repository made again", equals(GITHUB, NUMBERED), job("repo:acme@123/app@789:ref:refs/heads/main")),
    ("RuthMayani/ecr-multi-env-capstone gho: the branch", equals(GITHUB, ["repo:acme@123/app@456:environment:dev", "repo:acme@123/app@456:environment:prod"]), job(NUMBERED)),
    ("Mohit7019/lift-please gho: another environment", split(GITHUB, [MAIN, "repo:acme/app:pull_request", "repo:acme/app:environment:dev"]), _ENVIRONMENT),
    ("AYUSHUKL/devsecops-terraform-infra trust.json: a stranger's repository", split(GITHUB, ["repo:acme/app:ref:refs/heads/*", "repo:acme/app:pull_request"]), job("repo:other/app:ref:refs/heads/main")),
]  # fmt: skip

# A wildcard under StringEquals.
_WILDCARDS: list[tuple[Any, ...]] = [
    ("aws-actions/configure-aws-credentials issue 1137", equals(GITHUB, "repo:acme/*"), job()),
    ("crossplane/crossplane issue 2454", only(EKS, account_of("crossplane-system:provider-aws-*")), pod("crossplane-system:provider-aws-6f46")),
    ("crossplane/crossplane issue 5578", equals(EKS, account_of("crossplane-system:provider-aws-*")), pod("crossplane-system:provider-aws-s3-6f46")),
    ("terraform-aws-modules/terraform-aws-iam issue 486", equals(EKS, [account_of("crossplane-system:provider-aws-*")]), pod("crossplane-system:provider-aws-kms-e22d")),
    ("CircleCI-Public/server-terraform pull request 291", equals(EKS, account_of("*:nomad-autoscaler")), pod("server:nomad-autoscaler")),
]  # fmt: skip

# The audience does not match.
_AUDIENCES: list[tuple[Any, ...]] = [
    ("aws-actions/configure-aws-credentials issue 318", trust(GITHUB, StringEquals={"aud": "https://github.com/acme"}), job()),
    ("aws-actions/configure-aws-credentials issue 317", equals(GITHUB, MAIN, "https://github.com/acme"), job()),
    ("KaushalRai12/DevOps terraform/modules/aws/eks/templates/cni-role-policy.json.tpl", trust(EKS, StringEquals={"aud": account_of("kube-system:aws-node")}), pod("kube-system:aws-node")),
    ("external-secrets/kubernetes-external-secrets issue 287", trust(EKS, StringEquals={"aud": account_of("shop:reports")}), pod("shop:reports")),
    ("noobaa/noobaa-operator pull request 1631", trust("oidc-bucket.s3.eu-west-1.amazonaws.com", StringEquals={"aud": "api"}), pod("noobaa:noobaa", "oidc-bucket.s3.eu-west-1.amazonaws.com", aud=["openshift"])),
    ("source-cooperative/source.coop pull request 382", equals("data.example.com", "connection:1", "data-proxy"), job("connection:1", "data.example.com")),
    ("kebsOps/Project-25 ebs: the API server's token", ebs(), pod(DRIVER, aud=["https://kubernetes.default.svc"])),
    ("krao14/my-eks-blueprints alb: the token of EKS Pod Identity", alb(), pod(CONTROLLER, aud=["pods.eks.amazonaws.com"])),
    ("Vishwajeet874/railbook gh: GitHub's default audience", equals(GITHUB, MAIN), job(aud="https://github.com/acme")),
]  # fmt: skip

# The cluster was made again, or is another one.
_CLUSTERS: list[tuple[Any, ...]] = [
    ("krao14/my-eks-blueprints alb: recreated", alb(), pod(CONTROLLER, _OTHER)),
    ("aaleem123/ArgoCD-Karpenter karpenter-trust-policy.json: recreated", only(EKS, account_of("karpenter:karpenter")), pod("karpenter:karpenter", _OTHER)),
    ("s33ding/iesb-das-infra irsa-trust-policy.json: another region", equals(EKS, account_of("ops:admin")), pod("ops:admin", eks("us-east-1", RECREATED))),
    ("terraform-aws-modules/terraform-aws-iam iam-role-for-service-accounts: recreated", policy(_SELF, *equals(EKS, account_of("shop:reports"))["Statement"]), pod("shop:reports", _OTHER)),
    ("AwesomeCICD/ceratf-deployment-monorepo global/templates/oidc_assume_role.json.tpl: another cluster", policy(*equals(EKS, account_of("shop:reports"))["Statement"], statement({"AWS": [f"arn:aws:iam::{ACCOUNT}:user/dev"]}, "sts:AssumeRole")), pod("shop:reports", _OTHER)),
    ("vaibh36/ticketing-backend-v2 gh: GitHub Enterprise Server", equals(GITHUB, MAIN), job(provider="github.example.com/_services/token")),
]  # fmt: skip

# IAM allows the token, and others that the policy should not allow.
_BROAD: list[tuple[Any, ...]] = [
    ("Unicorn561/AI-BankApp-DevOps gh", split(GITHUB, "repo:*:*"), job(), ("P11",)),
    ("dvdmelamed/aws-infra modules/github-oidc/assume_role.tpl", only(GITHUB, "repo:*", "StringLike"), job(), ("P11",)),
    ("ashutoshofficial25/flask_Practice_cicd trust-relationship.json", trust(GITHUB), job(), ("P11",)),
    ("alphagov/govuk-infrastructure pull request 879", trust(GITHUB, StringEquals={"aud": STS}), job(), ("P11",)),
    ("NPP2024/aws-terraform-network-lab gh", trust(GITHUB, StringEquals={"aud": STS}, StringLike={"job_workflow_ref": "acme/app/.github/workflows/main.yml@refs/heads/main"}), job(job_workflow_ref="acme/app/.github/workflows/main.yml@refs/heads/main"), ("P11",)),
    ("HEMCloud/home-energy-model-terraform mgt/iam.tf", split(TERRAFORM, "organization:*:project:*:workspace:*:run_phase:*", "aws.workload.identity"), job("organization:acme:project:p:workspace:w:run_phase:plan", TERRAFORM, aud="aws.workload.identity"), ("P11",)),
    ("crossplane-contrib/provider-upjet-aws pull request 1254", policy(*trust(EKS)["Statement"], _PODS), pod("crossplane-system:provider-aws"), ("P11",)),
    ("AwesomeCICD/ceratf-module-eks templates/oidc_assume_role.json.tpl", trust(CIRCLECI, StringEquals={"aud": ORGANIZATION}), _CIRCLECI, ("P11",)),
    ("rh-mobb/documentation pull request 209", trust(EKS), pod("logging:collector"), ("P11",)),
    ("grucloud/grucloud pull request 583", trust(GITHUB, StringEquals={"aud": STS}), job(), ("P11",)),
    ("buildkite-plugins/aws-assume-role-with-web-identity-buildkite-plugin pull request 31", trust(BUILDKITE, StringEquals={"aud": STS}), job("organization:acme:pipeline:app:ref:refs/heads/main:commit:1:step:deploy", BUILDKITE), ("P11",)),
    ("Dromadon/hallebarde deploy/iam/iam_api.tf", trust("accounts.google.com", federated="accounts.google.com", StringEquals={"aud": "1.apps.googleusercontent.com"}), job("1234", "accounts.google.com", aud="1.apps.googleusercontent.com", azp="1.apps.googleusercontent.com"), ("P11",)),
    ("github/docs pull request 12137", trust(GITHUB, ForAllValues_StringEquals={"aud": STS, "sub": MAIN}), job(), ("P08", "P11")),
    ("BishopFox/cloudfox pull request 118", trust(GITHUB, ForAllValues_StringLike={"sub": "repo:acme/app:*"}, StringEquals={"aud": STS}), job(), ("P08", "P11")),
    ("aws-actions/configure-aws-credentials issue 318: ForAllValues alone", trust(GITHUB, ForAllValues_StringLike={"sub": "repo:acme/*"}), job(), ("P08", "P11")),
    ("aws-actions/configure-aws-credentials issue 452: the branch", trust(GITHUB, ForAllValues_StringEquals={"aud": STS}, ForAllValues_StringLike={"sub": "repo:acme/*:ref:refs/heads/*"}), job(), ("P08", "P11")),
    ("aws-actions/configure-aws-credentials issue 672: as it worked", trust(GITHUB, StringLike={"sub": "repo:acme/app:environment:dev"}, ForAllValues_StringEquals={"aud": STS, "iss": f"https://{GITHUB}"}), job("repo:acme/app:environment:dev"), ("P08", "P09")),
    ("biofilos/test-gh2gl trust_policy.json", trust(GITHUB, StringLike={"sub": MAIN, "aud": STS}, ForAllValues_StringEquals={"aud": STS, "iss": f"https://{GITHUB}"}), job(), ("P08", "P09")),
    ("aws-actions/configure-aws-credentials issue 690", trust(GITHUB, StringLike={"sub": "repo:acme/app:*"}, ForAllValues_StringEquals={"aud": STS, "iss": f"https://{GITHUB}"}), job(), ("P08", "P09")),
]  # fmt: skip

# The subject alone. IAM leaves the audience to the client IDs of the OIDC provider; EKS's own
# documentation always tests it, and P06 says so.
_SUBJECT_ALONE: list[tuple[str, str, str]] = [
    ("GoormAnchor/k8s alb", "ap-northeast-2", CONTROLLER),
    ("dolisss/captstone_project alb", "us-east-1", CONTROLLER),
    ("yevgenis-shapiro/aws-n8n-workflow-orchestration modules/load-balancer-controller/trust-policy.tpl", "us-east-1", CONTROLLER),
    ("francdomain/EKS_Cluster_With_Terraform ebs", "us-west-1", DRIVER),
    ("aaleem123/ArgoCD-Karpenter karpenter-trust-policy.json", "us-east-1", "karpenter:karpenter"),
    ("22120207/cloud-project-helm-chart trust-policy.json", "us-east-1", "kube-system:aws-node"),
    ("jayadeyemi/gen3-dev old/ack-test/scripts/lib/trust-relationship.sh", "us-east-1", "ack:controller"),
    ("shkim4u/aws-database-migration create_travelbuddy_pod_service_account_role_trust_policy.sh", "ap-northeast-2", "shop:reports"),
    ("zefir01/impersonalized argocd/compositions/irsa_policy.tpl", "eu-central-1", "shop:reports"),
    ("CircleCI-Public/server-terraform nomad-aws/template/nomad_irsa_trust_policy.tpl", "us-east-1", "server:nomad-autoscaler"),
    ("minio/marketplace eks/trust-policy.json", "us-west-2", "dev:integration"),
    ("erselekmen/musicee-cloud-backend eks/trust-policy.json", "eu-central-1", CONTROLLER),
    ("SaadChaudhary12/EKS-INGRESS k8s/trust-policy.json", "us-east-2", CONTROLLER),
    ("SahanaSV19/hackathon k8s/trust-policy.json", "us-east-1", CONTROLLER),
    ("cherpalli-shiva/Netflix-Website k8s/trust-policy.json", "us-east-1", CONTROLLER),
    ("ebi-ait/morphic-website k8s/trust-policy.json", "eu-west-2", CONTROLLER),
    ("mailbinoy/capstone k8s/trust-policy.json", "us-east-1", DRIVER),
    ("rahuldevray966-hash/Jerney k8s/trust-policy.json", "ap-south-1", CONTROLLER),
    ("cert-manager/cert-manager issue 2147", "eu-central-1", "cert-manager:cert-manager"),
    ("Young-ook/terraform-aws-eks issue 248", "us-east-1", "default:app"),
    ("openshift/release pull request 81848", "us-east-1", "sandboxed-containers:default"),
    ("jbhelf/wiz-exercise alb-trust-policy.json", "us-west-2", CONTROLLER),
    ("tezeinows/qatar-frontend-pipeline alb-trust-policy.json", "eu-central-1", CONTROLLER),
    ("koreano3/Chick-pay-3rd velero-trust-policy.json", "ap-northeast-2", "velero:velero"),
    ("nksusn/bootcamp-project-3 external-secrets-trust-policy.json", "us-east-2", "external-secrets:external-secrets"),
    ("VKPACHAURI/project--03-terraform-aws-eks-jenkins-platform ebs-trust-policy.json", "ap-south-1", DRIVER),
    ("monswiklund/todo-k8s ebs-trust-policy.json", "eu-west-1", DRIVER),
    ("954alberto/terraform-crossplane iam_data.tf", "eu-west-1", "crossplane-system:provider-aws-e541e7d77aea"),
]  # fmt: skip
_TWO = policy(
    *(
        statement(
            {"Federated": arn(each)},
            StringEquals={f"{each}:sub": account_of("karpenter:karpenter")},
        )
        for each in (eks("eu-west-1"), eks("eu-west-2"))
    )
)

_NO_AUDIENCE: list[tuple[Any, ...]] = [
    *((source, only(eks(region), account_of(name)), pod(name, eks(region))) for source, region, name in _SUBJECT_ALONE),
    ("Rahul7600/full-stack_chatApp k8s/trust-policy.json", policy(_EC2, *only(EKS, account_of(CONTROLLER))["Statement"]), pod(CONTROLLER)),
    ("terraform-aws-modules/terraform-aws-iam pull request 74", only(EKS, [account_of("default:sa2"), account_of("default:sa1")]), pod("default:sa1")),
    ("circleci/circleci-docs pull request 7801", only(CIRCLECI, f"org/{ORGANIZATION}/project/*/user/*/vcs-origin/github.com/acme/*/vcs-ref/refs/heads/main", "StringLike"), job(f"org/{ORGANIZATION}/project/1/user/2/vcs-origin/github.com/acme/app/vcs-ref/refs/heads/main", CIRCLECI, aud=ORGANIZATION)),
    ("aleksandrakojic/3t-app-eks k8s/trust-policy.json", only(GITHUB, "repo:acme/app:*", "StringLike"), job()),
    ("nairp126/ftgo-project gh", only(GITHUB, "repo:acme/app:*", "StringLike"), job()),
    ("bgc-kyruus/gha-preflight-demo gho", only(GITHUB, "repo:acme/app:*", "StringLike"), job()),
    ("aws/karpenter-provider-aws issue 1313: separate statements", _TWO, pod("karpenter:karpenter", eks("eu-west-2"))),
    ("crossplane/crossplane issue 2454: with StringLike", only(EKS, account_of("crossplane-system:provider-aws-*"), "StringLike"), pod("crossplane-system:provider-aws-6f461b0ba11f")),
    ("giantswarm/aws-operator pull request 3522", only("irsa.cluster.example.com", account_of("kube-system:*"), "StringLike"), pod("kube-system:external-dns", "irsa.cluster.example.com")),
]  # fmt: skip


def _denied(rows: list[tuple[Any, ...]], *causes: str, role: str | None = ROLE) -> list[Case]:
    return [Case(source, shape, token, "deny", causes, role) for source, shape, token in rows]


WRONG: list[Case] = [
    *_denied(_ACCOUNTS, "P02", role=None),
    *_denied(_PRINCIPALS, "P02"),
    *_denied(_KEYS, "P03"),
    *(Case(source, shape, token, "deny", causes) for source, shape, token, causes in _SEVERAL),
    *_denied(_SUBJECTS, "P04"),
    *_denied(_WILDCARDS, "P05"),
    *_denied(_AUDIENCES, "P06"),
    *_denied(_CLUSTERS, "P02"),
    *(Case(source, shape, token, "allow", causes) for source, shape, token, causes in _BROAD),
    *(Case(source, shape, token, "allow", ("P06",)) for source, shape, token in _NO_AUDIENCE),
]

_SOUND_TEXT = '{"Version": "2012-10-17", "Statement": []}'
_GRANTS = [{"Effect": "Allow", "Action": ["acm:ListCertificates"], "Resource": "*"}]

_KARPENTER = [
    {
        "Action": ["ssm:GetParameter", "iam:PassRole"],
        "Effect": "Allow",
        "Resource": "*",
        "Sid": "Karpenter",
    },
    {
        "Action": "ec2:TerminateInstances",
        "Condition": {"StringLike": {"ec2:ResourceTag/Name": "*karpenter*"}},
        "Effect": "Allow",
        "Resource": "*",
        "Sid": "ConditionalEC2Termination",
    },
]

#: Texts that are not a trust policy, and a word that the error must say.
INVALID: list[tuple[str, Any, str]] = [
    ("himanshu2oo4/DevSecopsProject gh", _SOUND_TEXT + "s", "JSON"),
    ("ArvidEllan/go-player-api trust-policy.json", _SOUND_TEXT + "\n#Syntax\n", "JSON"),
    ("Olaminiyi/25.Deploying-and-Packaging-Applications-into-Kubernetes-with-Helm ebs", '{"StringEquals": {"a": "b", "c"}}', "JSON"),
    ("kubernetes-sigs/aws-load-balancer-controller issue 1353", {"Version": "2012-10-17", "Statement": _GRANTS}, "permission"),
    ("awslabs/aws-cross-account-cicd-git-actions-prereq assume-role-policy.json", {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::{ACCOUNT}:role/*"}}, "permission"),
    ("ChoiYeongChan/dapanda-terraform controller-trust-policy.json", '{"Principal": {"Federated": {your oidc arn}}}', "JSON"),
    ("BaluRaut/learn-cicd-school iam/github-oidc-trust-policy.json", {"_comment": "who"} | repository(), "_comment"),
    *((f"{each} controller-trust-policy.json", {"Statement": _KARPENTER, "Version": "2012-10-17"}, "permission") for each in ("AnsonYe/eks-demo", "Mohan0607/aws-eks-karpenter-terraform", "jianxing31/eks-hosted-ghar", "Check-Day/Infrastructure-as-Code karpenter")),
    ("kuldeep26/github-action-demo1 controller-trust-policy.json", {"Statement": [{"Action": ["*"], "Effect": "Allow", "Resource": "*", "Sid": "Karpenter"}], "Version": "2012-10-17"}, "permission"),
    ("secopsninjaaws/terraform-aws-eks-cluster controller-trust-policy.json", {"Version": "2012-10-17", "Statement": [*_GRANTS, {"Effect": "Allow", "Action": ["iam:PassRole"], "Resource": "*", "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}}]}, "permission"),
    ("kubernetes-sigs/external-dns issue 1074: the permissions", {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["route53:ChangeResourceRecordSets"], "Resource": ["arn:aws:route53:::hostedzone/*"]}]}, "permission"),
]  # fmt: skip
