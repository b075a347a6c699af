"""What `explain` loads, in a fresh interpreter."""

from __future__ import annotations

from textwrap import dedent

import pytest

from fresh_interpreter import python

CODE = dedent(
    """
    import sys
    {imports}
    statement = {{
        "Effect": "Allow",
        "Principal": {{"Federated": "arn:aws:iam::123456789012:oidc-provider/oidc.example/id"}},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {{"StringEquals": {{"oidc.example/id:aud": "another"}}}},
    }}
    found = explain(
        {{"Version": "2012-10-17", "Statement": [statement]}},
        service_account="shop/reports",
        issuer="https://oidc.example/id",
    )
    libraries = {{"aiobotocore", "boto3", "botocore", "filelock", "urllib3"}} & sys.modules.keys()
    core = {{name for name in sys.modules if name.startswith("irsa_creds._")}}
    print(found.verdict, sorted(libraries), *sorted(core))
    """
)


@pytest.mark.parametrize(
    "imports",
    [
        "import irsa_creds; explain = irsa_creds.explain",
        "from irsa_creds import explain",
        "from irsa_creds.diagnosis import explain",
    ],
)
def test_explain_loads_neither_the_engine_nor_botocore(imports: str) -> None:
    verdict, libraries, *core = python(CODE.format(imports=imports)).split()
    assert (verdict, libraries) == ("deny", "[]")
    assert {name.removeprefix("irsa_creds.") for name in core} <= {
        "_credentials",
        "_engine",
        "_engine.forks",
        "_errors",
        "_identity",
        "_identity.arns",
        "_identity.claims",
        "_identity.endpoint_settings",
        "_identity.settings",
        "_identity.token",
        "_identity.validation",
        "_locks",
        "_masking",
        "_record",
        "_version",
    }
