"""The claims of a token that IAM provides as condition keys, by issuer.

Sources: "Available keys for AWS OIDC federation" in "IAM and AWS STS condition context keys", IAM
User Guide, and the condition keys of AssumeRoleWithWebIdentity in the Service Authorization
Reference, both as of 2026: the select claims of listed issuers came in January 2026.
"""

from __future__ import annotations

from irsa_creds.diagnosis._policy.patterns import matches

__all__ = ["BUILT_IN", "COGNITO", "condition_claims"]

# "Use this mapping if your IdP is not listed"; the listed issuers have these as well.
_DEFAULT = frozenset({"amr", "aud", "email", "oaud", "sub"})
_GITHUB = frozenset(
    {
        "actor", "actor_id", "enterprise_id", "environment", "job_workflow_ref", "ref",
        "repository", "repository_id", "repository_owner_id", "workflow",
    }
)  # fmt: skip
_BUILDKITE = frozenset(
    {
        "build_branch", "cluster_id", "cluster_name", "organization_id", "organization_slug",
        "pipeline_id", "pipeline_slug",
    }
)  # fmt: skip
_GITLAB = frozenset(
    {
        "namespace_id", "pipeline_source", "project_id", "ref_protected", "runner_environment",
        "user_access_level", "user_email", "user_id", "user_login",
    }
)  # fmt: skip
_LISTED = {
    "token.actions.githubusercontent.com": _GITHUB,
    "token.actions.githubusercontent.com/*": _GITHUB,
    "token.actions.*.ghe.com": _GITHUB,
    "github.com/enterprises/*": _GITHUB,
    "gitlab.com": _GITLAB,
    "agent.buildkite.com": _BUILDKITE,
    "agent.*.buildkite.dev": _BUILDKITE,
    "agent.*.buildkite.site": _BUILDKITE,
    "oidc.circleci.com/org/*": frozenset({"oidc.circleci.com/project-id"}),
    "idcs-*.identity.oraclecloud.com": frozenset({"rpst_id"}),
    "accounts.google.com": frozenset({"google/organization_number"}),
}
# These need no OIDC provider in IAM: a policy names the host itself ("AWS JSON policy elements:
# Principal", IAM User Guide).
# For Cognito in AWS GovCloud (US): "Amazon Cognito" in the AWS GovCloud (US) User Guide.
COGNITO = frozenset(
    {
        "cognito-identity.amazonaws.com",
        "cognito-identity-us-gov.amazonaws.com",
        "cognito-identity.us-gov-east-1.amazonaws.com",
    }
)
BUILT_IN = COGNITO | {"accounts.google.com"}


def condition_claims(provider: str) -> frozenset[str]:
    """Return the claims that IAM provides as condition keys for an issuer.

    Args:
        provider: the issuer without its scheme.
    """
    listed = [names for host, names in _LISTED.items() if matches(host, provider.lower())]
    return _DEFAULT.union(*listed)
