"""Tokens for which no policy is corrected: of pull requests, and for the cluster's API server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from irsa_creds._identity.claims import is_for_api_server
from irsa_creds.diagnosis._claims import audiences, subject_of

if TYPE_CHECKING:
    from irsa_creds.diagnosis._policy.request import AccessRequest

__all__ = ["is_of_api_server", "is_of_pull_request", "pull_request_values"]

# GitHub: "OpenID Connect reference" (sub, event_name, ref). GitLab: "OpenID Connect (OIDC)
# authentication using ID tokens" (pipeline_source, ref_path). Vercel: "OIDC Federation Reference"
# (sub); each pull request makes a preview.
_CLAIMS = ("sub", "event_name", "ref", "pipeline_source", "ref_path")
_STARTED_BY_REQUEST = re.compile(
    r"(?:^|:)(?:(?:external_)?pull_request|merge_request|refs/(?:pull|merge-requests)/)"
    r"|^owner:[^:]+:project:[^:]+:environment:preview$"
)


def is_of_pull_request(request: AccessRequest) -> bool:
    """Return whether a pull or merge request, which strangers may open, started the token's job."""
    return bool(pull_request_values(request))


def pull_request_values(request: AccessRequest) -> tuple[str, ...]:
    """Return the values of claims that say so, such as `refs/pull/7/merge`."""
    values = (str(request.claims.get(claim)) for claim in _CLAIMS)
    return tuple(value for value in values if _STARTED_BY_REQUEST.search(value))


def is_of_api_server(request: AccessRequest) -> bool:
    """Return whether a token is for the cluster's API server, which sees every such token."""
    # Jobs of GitLab usually have their issuer as audience, as tokens for some API servers have.
    issuer = request.issuer if subject_of(request.claims) else None
    return any(is_for_api_server(each, issuer) for each in audiences(request.claims))
