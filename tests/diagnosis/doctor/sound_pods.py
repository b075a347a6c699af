"""Correct pods, jobs and other environments, for which doctor must report no problem."""

from __future__ import annotations

from typing import Any

from diagnosis.doctor.pod_cases import CEPH, NO_IRSA, NO_REGION, SOURCED
from diagnosis.sample_pod import NOW, ROLE, SECRET


def of_region(region: str, partition: str, suffix: str) -> dict[str, Any]:
    """Return the changes for an EKS cluster of another region and partition."""
    return {
        "environ": {
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ROLE_ARN": f"arn:{partition}:iam::123456789012:role/app",
        },
        "claims": {"iss": f"https://oidc.eks.{region}.{suffix}/id/ABC"},
    }


NO_POD = {"account": None, "volume": "plain", "only": True}
OUTSIDE = {"KUBERNETES_SERVICE_HOST": None, "AWS_STS_REGIONAL_ENDPOINTS": None}
TIMES = {"iat": int(NOW) - 10, "nbf": int(NOW) - 10, "exp": int(NOW) + 290}

SOUND: dict[str, dict[str, Any]] = {
    "EKS": {},
    "EKS with a token of an hour": {"claims": {"exp": int(NOW) + 3_000}},
    "EKS just before rotation": {"claims": {"iat": int(NOW) - 69_000, "exp": int(NOW) + 17_400}},
    "EKS, dual stack": {"claims": {"iss": "https://oidc-eks.eu-central-1.api.aws/id/ABC"}},
    "EKS without an automounted API token": {"account": None},
    "EKS with a role in a path": {"environ": {"AWS_ROLE_ARN": ROLE.replace("app", "team/app")}},
    "EKS, named session": {"environ": {"AWS_ROLE_SESSION_NAME": "app@prod"}},
    "EKS, STS of another region": {
        "environ": {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    },
    "EKS, AWS_DEFAULT_REGION alone": {"environ": {"AWS_REGION": None}},
    "EKS, the region in the profile": {
        "environ": NO_REGION,
        "config": "[default]\nregion = eu-central-1\n",
    },
    "EKS, legacy STS": {"environ": {"AWS_STS_REGIONAL_ENDPOINTS": "legacy"}},
    "EKS, FIPS": {"environ": {"AWS_USE_FIPS_ENDPOINT": "true"}},
    "EKS, VPC endpoint": {
        "environ": {"AWS_ENDPOINT_URL_STS": "https://vpce-1.sts.eu-central-1.vpce.amazonaws.com"}
    },
    "EKS, aiobotocore": {"versions": {"aiobotocore": "3.10.0"}},
    "EKS, a secret without a key id": {"environ": {"AWS_SECRET_ACCESS_KEY": SECRET}},
    "EKS, two audiences": {"claims": {"aud": ["sts.amazonaws.com", "vault"]}},
    "EKS, keys in the default profile": {
        "credentials": f"[default]\naws_access_key_id = AKIA\naws_secret_access_key = {SECRET}\n"
    },
    "EKS, a second role behind a web identity": {
        "environ": {**NO_IRSA, "AWS_PROFILE": "dev"},
        "config": f"{SOURCED}source_profile = irsa\n[profile irsa]\nrole_arn = {ROLE}\n"
        "web_identity_token_file = {token_file}\n",
    },
    "a profile that names role and token": {
        "environ": NO_IRSA,
        "config": f"[default]\nrole_arn = {ROLE}\nweb_identity_token_file = {{token_file}}\n",
    },
    "the same by Session(profile_name=)": {
        "profile": "dev",
        "config": f"[profile dev]\nrole_arn = {ROLE}\nweb_identity_token_file = {{token_file}}\n",
    },
    "a profile that runs irsa-creds process": {
        "environ": {"AWS_PROFILE": "irsa"},
        "config": "[profile irsa]\ncredential_process = irsa-creds process\n",
    },
    "the same process by Session(profile_name=)": {
        "profile": "irsa",
        "config": "[profile irsa]\nregion = eu-central-1\n"
        "credential_process = /venv/bin/irsa-creds process --no-cache\n",
    },
    "China": of_region("cn-north-1", "aws-cn", "amazonaws.com.cn"),
    "GovCloud": of_region("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
    "ISO": of_region("us-iso-east-1", "aws-iso", "c2s.ic.gov"),
    "ISO-B": of_region("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
    "ISO-E": of_region("eu-isoe-west-1", "aws-iso-e", "cloud.adc-e.uk"),
    "ISO-F": of_region("us-isof-south-1", "aws-iso-f", "csp.hci.ic.gov"),
    "European Sovereign Cloud": of_region("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
    "a region that nobody knows yet": of_region("xx-north-1", "aws", "amazonaws.com"),
    "ROSA": {
        "claims": {
            "iss": "https://rh-oidc.s3.us-east-1.amazonaws.com/23f8vu1h7ab2",
            "aud": ["sts.amazonaws.com"],
        }
    },
    "an operator of ROSA": {
        "claims": {"iss": "https://oidc.op1.openshiftapps.com/23f8", "aud": ["openshift"]}
    },
    "kops": {
        "claims": {
            "iss": "https://discovery.example.com",
            "aud": ["amazonaws.com"],
            "sub": "system:serviceaccount:kube-system:aws-load-balancer-controller",
        }
    },
    "GKE": {
        "claims": {"iss": "https://container.googleapis.com/v1/projects/p/locations/eu/clusters/c"}
    },
    "GitHub Actions": {
        **NO_POD,
        "environ": OUTSIDE,
        "claims": {
            "iss": "https://token.actions.githubusercontent.com",
            "aud": "sts.amazonaws.com",
            "sub": "repo:octo-org/octo-repo:ref:refs/heads/main",
            **TIMES,
        },
    },
    "GitHub Actions with its own audience": {
        **NO_POD,
        "environ": OUTSIDE,
        "claims": {
            "iss": "https://token.actions.githubusercontent.com",
            "aud": "https://github.com/octo-org",
            "sub": "repo:octo-org/octo-repo:environment:prod",
            **TIMES,
        },
    },
    "GitHub's runner in a pod": {
        "volume": "plain",
        "only": True,
        "claims": {
            "iss": "https://token.actions.githubusercontent.com",
            "aud": "sts.amazonaws.com",
            "sub": "repo:octo-org/octo-repo:pull_request",
            **TIMES,
        },
    },
    "GitLab": {
        **NO_POD,
        "environ": OUTSIDE,
        "claims": {
            "iss": "https://gitlab.com",
            "aud": "https://gitlab.com",
            "sub": "project_path:group/app:ref_type:branch:ref:main",
            **TIMES,
        },
    },
    "SPIFFE": {
        **NO_POD,
        "environ": OUTSIDE,
        "claims": {
            "iss": "https://oidc-discovery.example.org",
            "aud": ["aws"],
            "sub": "spiffe://example.org/ns/prod/sa/app",
            **TIMES,
        },
    },
    "an opaque token on Ceph": {
        "content": "opaque",
        "environ": {**CEPH, "AWS_ROLE_ARN": "arn:aws:iam:::role/app"},
    },
    "a JWT on Ceph": {
        "environ": {**CEPH, "AWS_ROLE_ARN": "arn:aws:iam:::role/app"},
        "claims": {"iss": "http://keycloak.local:8080/realms/a", "aud": ["account"]},
    },
    "a token on MinIO without an audience": {
        "environ": {"AWS_ENDPOINT_URL": "http://minio:9000"},
        "claims": {"aud": None, "iss": "https://kubernetes.default.svc.cluster.local"},
    },
}
