"""Sound trust policies of public repositories, each with a token that it is meant for.

The file names of the sources: alb is load-balancer-role-trust-policy.json, ebs is
aws-ebs-csi-driver-trust-policy.json, gh is github-trust-policy.json, gho is
github-oidc-trust-policy.json, oidc is oidc-trust-policy.json.
"""

from __future__ import annotations

from typing import Any

from diagnosis.collected.shapes import (
    AKS,
    CIRCLECI,
    CONTROLLER,
    DRIVER,
    EXCHANGE,
    GITHUB,
    GITLAB,
    MAIN,
    NUMBERED,
    ORGANIZATION,
    STS,
    TERRAFORM,
    Case,
    account_of,
    eks,
    equals,
    job,
    pod,
    policy,
    split,
    statement,
    trust,
)

# Subject and audience under StringEquals: the source, the region and the service account.
_EKS = [
    ("Shyamjith06/ramesh alb", "eu-west-1", CONTROLLER),
    ("ToxicNoob28/eks-todo-backend alb", "ap-south-1", CONTROLLER),
    ("Yeoksam-Station-Exit-1/MeetHare-Infra alb", "ap-northeast-2", CONTROLLER),
    ("ZiiParkDev/devops_statefulset_porject alb", "ap-northeast-2", CONTROLLER),
    ("haykhovsepyan/app-nginxingress-certmanager alb", "eu-central-1", CONTROLLER),
    ("jjesus109/k8s-project-artifacts alb", "us-east-2", CONTROLLER),
    ("krao14/my-eks-blueprints alb", "us-west-2", CONTROLLER),
    ("lavdimPireva/tema-diplomes-kubernetes alb", "eu-central-1", CONTROLLER),
    ("noct4/DevOps_example alb", "ap-southeast-2", CONTROLLER),
    ("sgrsaga/eks-cli alb", "ap-south-1", CONTROLLER),
    ("shine102/capstone-cloud-devops-engineer alb", "ap-southeast-1", CONTROLLER),
    ("sonny-werghis/datahub alb", "us-east-1", CONTROLLER),
    ("soumyajitchatterjeebiz380/My_Kubernetes_Tutorial alb", "us-west-1", CONTROLLER),
    ("std-yong/velero alb", "ap-northeast-2", CONTROLLER),
    ("suri341/jagannath-invoice-generation-app alb", "us-east-1", CONTROLLER),
    ("vembu0806/eks alb", "eu-west-1", CONTROLLER),
    ("virendra2505/Virendrasing-Sample.Application alb", "ap-south-1", CONTROLLER),
    ("skwolvie/bank-app-demo load-balancer-role-trust-policy.json.tpl", "us-east-1", CONTROLLER),
    ("AnuragBojja/eksctl trust-policy.json", "us-east-1", CONTROLLER),
    ("Derakings/Bedrock-project trust-policy.json", "us-east-1", CONTROLLER),
    ("Hermen-Nicolau/tap-aws ebs", "us-east-2", DRIVER),
    ("Johnstx/Deploying-Jfrog-Artifactory-in-an-EKS-with-HELM ebs", "us-west-1", DRIVER),
    ("MayorFaj/AWS-EBS-CSI-Driver ebs", "eu-central-1", DRIVER),
    ("jfcarmonag/cd12355-microservices-aws-kubernetes-project-starter ebs", "us-east-1", DRIVER),
    ("kebsOps/Project-25 ebs", "us-west-1", DRIVER),
    ("kishoresurapally/test_atlantis ebs", "ap-south-1", DRIVER),
    ("reddysruthi/eks-files ebs", "us-east-1", DRIVER),
    ("talshaham/argocd-eks ebs", "eu-north-1", DRIVER),
    ("devflowinc/trieve aws/eks/make-trust-policy-file.sh", "us-west-1", DRIVER),
    ("rlhadsel/learn-terraform-provision-eks-cluster aws_alb_controller_trust_policy.json.tpl",
     "us-east-2", DRIVER),
    ("anishbhatk/keda-sqs-demo iam/trust-policy.json", "ap-south-2", "demo:worker"),
    ("manifoldailearning/deploy-aws-demo irsa-trust-policy.json", "us-east-1", "agent:agent"),
    ("s33ding/iesb-das-infra irsa-trust-policy.json", "us-east-1", "ops:admin"),
    ("gowdas1997/Ekart-application karpenter-trust-policy.json", "ap-south-1",
     "karpenter:karpenter"),
    ("atendulkar/IRSA trust-relationship.json", "us-east-1", "default:irsa-sa"),
    ("22120207/cloud-project-helm-chart trust-relationship.json", "us-east-1", "web:backend"),
]  # fmt: skip

# All workflows of a repository, under StringLike; the audience under StringEquals.
_REPOSITORY = [
    "AyushChoudhary6/biomarine-ai gh",
    "BabuLahade/multi-tenant-serverless-rag-platform gh",
    "FIAP-SOAT-Net/fiap-soat-oficina-mecanica-infrastructure gh",
    "JoeyZhouAus/personal_portfolio gh",
    "Mengxuerobott/rag-internal-docs gh",
    "Raani1011/Notes-API-Kubernetes gh",
    "Sintratel-Docket/docket-infra gh",
    "ashish1170/Fintech-devops gh",
    "ashishthalia/digikool-gateway gh",
    "eladcohen333/rag_aws gh",
    "enyioman/da-platform gh",
    "gentemsandeep/fullstack-eks gh",
    "keneanyaragbu/healthpulse-gha gh",
    "manjukolkar/workshop-project gh",
    "tgrviswanath/my-aws gh",
    "thomasasamba-bot/enterprise_gitops_platform gh",
    "trinetra914/8byte-devops-assignment gh",
    "amitk22225/AI-DevOps-Agent oidc",
    "fernando-m-vale/superseller-ia oidc",
    "mimi-labs/mimi oidc",
    "Ezulu-Chinwendu/FinTrust-Global gho",
    "TECHNO98-AI/fail2ban-aws-project gho",
    "abd-hadi/document-approval-app gho",
    "aramabrahamyan93/fullstack-cloud-platform gho",
    "billfromannarbor/hello-cloud gho",
    "ccarrylab/aws-devops-platform gho",
    "charankudayagiri-max/Rag-chatbot-AWS gho",
    "christina-ux/FreshTry gho",
    "cojocloud/aws-ecs-terraform-deploy gho",
    "knight099/streamshort gho",
    "rehmanul/tiktok-autorepost-aws gho",
    "tobiakinlade/attendance-app gho",
    "zimmermanc/cosign-demo gho",
    "AnisTrabelsi/AgileTrack trust.json",
    "Fabriciovaldivia/project06-eks-k8s-aws-terraform-cicd-6 trust-policy.json",
    "tulna07/workshop-1-tf-modules modules/security/gha-role/gha-trust-policy.tpl",
    "guardian/cdk issue 1944",
]

# One branch, under StringLike without a wildcard; the audience under StringEquals.
_BRANCH = [
    "BrayanPacheco05/reto_sysops gh",
    "mohamedkaba4/Mavencrest-S3-Landing-Site gh",
    "protofire/telos-privacy-wallet gh",
    "res200183/aws-cloudformation-ec2-webserver gh",
    "AbdimajidHussein03/snipeit-ecs-deployment gho",
    "Uchendu130617/my-env-charitize gho",
    "Yashwanth-Kumar-Kotla/early_layoff_warning gho",
    "iamMichaelSmith/The-Lab-Barbershop-Website gho",
    "karansawale7/enterprise-ai-platform gho",
    "killmonger331/serverless-helpdesk-ticketing-system gho",
    "Ajokemi/github-actions-aws-s3-cicd trust-policy.json",
]

# One subject, all under StringEquals.
_EXACT = [
    ("Sahana-Phdata/s3-glue-pipeline gh", MAIN),
    ("Vishwajeet874/railbook gh", MAIN),
    ("abuyak/Schools gh", "repo:acme/app:ref:refs/heads/master"),
    ("buthelezim06/terragrunt-aws-ha gho", "repo:acme/app:ref:refs/heads/master"),
    ("scalable-ml-systems/ml-inference-triton-aws-eks infra/terraform/policies/ci.json.tpl", MAIN),
    ("AnushaVootkuri/devops-cap gh", NUMBERED),
    ("Nodirbekaws/devops gh", NUMBERED),
    ("Thom-ASM/FanChat gh", NUMBERED),
    ("indiraselvam/aws-eks-microservices-poc gh", NUMBERED),
    ("vaibh36/ticketing-backend-v2 gh", NUMBERED),
    ("ethio-cloud/aws-ai-bluegreen-project gho", NUMBERED),
]

_GROUP = ["repo:acme/app:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/feature/*",
          "repo:acme/app:environment:dev"]  # fmt: skip
_ANY_LETTERS = [
    f"repo:{owner}/{name}:*" for name in ("my_app", "my-app") for owner in ("Acme", "acme")
]
_PROJECT = "project_path:acme/app:ref_type:branch:ref:main"
_WORKSPACE = "organization:acme:project:aws-aft:workspace:aft-main:run_phase:apply"

_OTHERS: list[tuple[Any, ...]] = [
    ("AlexKanj/test-aws-oidc-ak gh", split(GITHUB, "repo:acme/*:*"), job()),
    ("AbdullahHAbdi/it-tools-ecs-fargate oidc", split(GITHUB, "repo:acme/*:*"), job()),
    ("aowens04/fastapi-docker-ao gh", split(GITHUB, "repo:acme/fastap:*"),
     job("repo:acme/fastap:ref:refs/heads/main")),
    ("AmitTheHacker/cicd-eks-project trust-policy.json",
     split(GITHUB, ["repo:Acme/app:*", "repo:acme/app:*"]), job()),
    ("aidaikin91/projectx-repo gh: the branch", split(GITHUB, _GROUP), job(_GROUP[0])),
    ("aidaikin91/projectx-repo gh: the environment", split(GITHUB, _GROUP), job(_GROUP[2])),
    ("Goodmartinsgit/My_Final_Project-Hexagon oidc",
     split(GITHUB, _ANY_LETTERS, action=[EXCHANGE, "sts:TagSession"]),
     job("repo:Acme/my-app:ref:refs/heads/main")),
    ("Mohit7019/lift-please gho",
     split(GITHUB, [MAIN, "repo:acme/app:pull_request", "repo:acme/app:environment:dev"]), job()),
    ("Rsingh230105/ecommerce-terraform gho",
     equals(GITHUB, [f"repo:acme/{name}:ref:refs/heads/dev" for name in ("a", "b", "app")]),
     job("repo:acme/app:ref:refs/heads/dev")),
    ("17021084/Github-Action-OCID-ci-cd trust.json",
     equals(GITHUB, ["repo:acme/app:pull_request", MAIN]), job("repo:acme/app:pull_request")),
    ("AYUSHUKL/devsecops-terraform-infra trust.json",
     split(GITHUB, ["repo:acme/app:ref:refs/heads/*", "repo:acme/app:ref:refs/tags/*",
                    "repo:acme/app:pull_request", "repo:acme/app:environment:*"]), job()),
    ("CS-admin-hub/three-tier-eks-production trust-policy.json",
     split(GITHUB, ["repo:acme/app:ref:refs/heads/dev"]), job("repo:acme/app:ref:refs/heads/dev")),
    ("EthemKesim/cloudtask-aws gho",
     split(GITHUB, [NUMBERED, "repo:acme@123/app@456:pull_request"]), job(NUMBERED)),
    ("RuthMayani/ecr-multi-env-capstone gho",
     equals(GITHUB, [f"repo:acme@123/app@456:environment:{name}" for name in ("dev", "prod")]),
     job("repo:acme@123/app@456:environment:prod")),
    ("aws-actions/configure-aws-credentials issue 672: as it worked, without ForAllValues",
     trust(GITHUB, StringLike={"sub": "repo:acme/app:environment:dev"}, StringEquals={"aud": STS}),
     job("repo:acme/app:environment:dev")),
    ("khanasif1/aws-eks-keda-karpenter trust-relationship.json",
     equals(eks("us-west-1"), [account_of("keda:operator"), account_of("keda:keda")]),
     pod("keda:operator", eks("us-west-1"))),
    ("msdp-platform/msdp-devops-infrastructure external-dns-trust-policy.json, account filled in",
     equals(AKS, account_of("external-dns:external-dns")), pod("external-dns:external-dns", AKS)),
    ("AYAGALLAL/security-pipeline terraform/oidc-iam-role.tf",
     equals(GITLAB, _PROJECT, "https://sts.amazonaws.com"),
     job(_PROJECT, GITLAB, aud="https://sts.amazonaws.com")),
    ("wellsiau-aft/terraform-aws-control_tower_account_factory aft_admin_role_trust_policy.tpl",
     policy(
         statement({"AWS": "arn:aws:iam::123456789012:root"}, "sts:AssumeRole"),
         *split(TERRAFORM, "organization:acme:project:*:workspace:*aft*:run_phase:*",
                "aws.workload.identity")["Statement"],
     ),
     job(_WORKSPACE, TERRAFORM, aud="aws.workload.identity")),
    ("alonsotagle/aft-global-customizations terraform/iam.tf",
     split(TERRAFORM, "organization:acme:project:aws-aft:workspace:aft-main:run_phase:*",
           "aws.workload.identity"),
     job(_WORKSPACE, TERRAFORM, aud="aws.workload.identity")),
    ("grcengineering/how-to-harden packs/circleci/api/hth-circleci-2.03-oidc-iam-trust-policy.sh",
     split(CIRCLECI, f"org/{ORGANIZATION}/project/*/user/*", ORGANIZATION),
     job(f"org/{ORGANIZATION}/project/1/user/2", CIRCLECI, aud=ORGANIZATION)),
]  # fmt: skip

SOUND: list[Case] = [
    *(
        Case(source, equals(eks(region), account_of(name)), pod(name, eks(region)))
        for source, region, name in _EKS
    ),
    *(Case(source, split(GITHUB, "repo:acme/app:*"), job()) for source in _REPOSITORY),
    *(Case(source, split(GITHUB, MAIN), job()) for source in _BRANCH),
    *(Case(source, equals(GITHUB, subject), job(subject)) for source, subject in _EXACT),
    *(Case(*row) for row in _OTHERS),
]
