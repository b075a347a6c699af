"""IRSA on one machine, for tests: an issuer, a projected volume, an STS that verifies, S3.

    from irsa_creds.testing import Sandbox

    with Sandbox() as sandbox:
        pod = sandbox.deploy(bucket="data")
        os.environ.update(pod.environ)
        boto3.Session().client("s3").put_object(Bucket="data", Key="hello", Body=b"world")
        sandbox.faults.outage = "black hole"
        pod.rotate_token(lifetime=600)

`in_a_pod` sets these variables for a block of code; the pytest fixture `irsa` does it for one test.

Needs the extra `testing`. The sandbox shares no code with what it tests, except the evaluator of
policies, which `irsa-creds explain` uses too.
"""

from __future__ import annotations

from irsa_creds.testing._faults import OUTAGES, Faults
from irsa_creds.testing._irsa import Irsa
from irsa_creds.testing._issuer import Issuer
from irsa_creds.testing._log import S3Call, StsCall
from irsa_creds.testing._plugin import in_a_pod
from irsa_creds.testing._pod import Pod
from irsa_creds.testing._policy import UnsupportedPolicyError
from irsa_creds.testing._sandbox import Sandbox
from irsa_creds.testing._volume import ProjectedVolume

__all__ = [
    "OUTAGES",
    "Faults",
    "Irsa",
    "Issuer",
    "Pod",
    "ProjectedVolume",
    "S3Call",
    "Sandbox",
    "StsCall",
    "UnsupportedPolicyError",
    "in_a_pod",
]
