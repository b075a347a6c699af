"""`provider()` and `reset()`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from irsa_creds._identity.config import Config
from irsa_creds._identity.settings import EnvironSettings, follow_source_profiles
from irsa_creds._provider import engine_of
from irsa_creds._registry import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from irsa_creds._identity.roles import RequestedRole, RoleConfig
    from irsa_creds._provider import Provider

__all__ = ["provider", "reset"]

# Arguments of `provider` that are not arguments of `Config.resolve`.
_OTHERS = {"profile", "keep_warm", "shared_cache"}
# Each of these takes precedence over the profile's `source_profile`.
_WEB_IDENTITY = {"role_arn", "token_file", "token"}


def provider(
    *,
    role_arn: str | None = None,
    token_file: str | os.PathLike[str] | None = None,
    token: Callable[[], str] | None = None,
    session_name: str | None = None,
    duration_seconds: int | None = None,
    policy: str | Mapping[str, Any] | None = None,
    policy_arns: Sequence[str] | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    profile: str | None = None,
    assume: Sequence[RoleConfig | str] | None = None,
    keep_warm: bool = False,
    shared_cache: bool | str | os.PathLike[str] | None = None,
) -> Provider:
    """Return the process's shared provider for these arguments and this environment.

    It calls STS at the first read, and refreshes in the background while the credentials are
    used::

        provider = irsa_creds.provider()
        credentials = provider.get()  # or, in a task: await provider.aget()
        print(credentials.access_key_id, credentials.expiration)

    Args:
        role_arn: the role to assume; None: `AWS_ROLE_ARN` or the profile's.
        token_file: the path of the web identity token; None: `AWS_WEB_IDENTITY_TOKEN_FILE` or the
            profile's.
        token: a callable that returns the token (a JWT), instead of a file; it is part of the
            identity, so pass the same object each time.
        session_name: 2 to 64 characters; None: `AWS_ROLE_SESSION_NAME`, the profile's, or a name
            made from the host name.
        duration_seconds: the lifetime to request, 900 to 43200 at AWS's endpoints; None: the
            profile's, or STS's default of one hour.
        policy: a session policy, at most 2,048 characters of JSON, or a mapping.
        policy_arns: managed session policies, at most 10.
        region: the region of STS; None: `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's, the
            region in the URL of an EKS issuer, or else AWS's global endpoint.
        endpoint_url: an STS endpoint instead of AWS's own.
        profile: the profile to read; as in botocore, it turns the web identity variables off. If
            the `source_profile` of a profile (this one, or the one of `AWS_PROFILE`) leads to a web
            identity, the profile stands for its chain of roles, unless arguments name role or
            token.
        assume: target roles for role chaining, ARNs or `RoleConfig`: each is assumed with the
            credentials of the role before it in the list. The provider returns the credentials of
            the last one; the other arguments apply to the first role, which the token assumes.
        keep_warm: fetch immediately, and refresh in the background even without reads. With more
            than 1,024 identities (`IRSA_CREDS_MAX_PROVIDERS`), keep a reference to the provider:
            the least recently requested ones without a reference are dropped.
        shared_cache: share credentials with the other processes of this pod: in a directory, or,
            if True, in the container's own directory for temporary files; False: do not share.
            None: as set by `install(shared_cache=)` or `IRSA_CREDS_CACHE_DIR`, otherwise do not
            share, because the cache writes secrets (in files of mode 0600).

    Returns:
        A `Provider`: the same object each time for the same identity, safe in threads, tasks and
        after a fork.

    Raises:
        ConfigError: a value is malformed, or IRSA is not configured.
    """
    if shared_cache is not None and not isinstance(shared_cache, bool):
        shared_cache = os.fspath(shared_cache)
    if isinstance(assume, list):
        # A copy, because the provider pickles it and the caller may change the list.
        assume = tuple(assume)
    # No local variable may stand above this line: it would become an argument.
    given = {k: v for k, v in locals().items() if v is not None and (k, v) != ("keep_warm", False)}
    arguments = {k: v for k, v in given.items() if k not in _OTHERS}
    settings = EnvironSettings(os.environ, profile)
    roles: tuple[RequestedRole, ...] = ()
    if not arguments.keys() & _WEB_IDENTITY:
        settings, roles = follow_source_profiles(settings)
    config = Config.resolve(settings, **arguments, roles=roles, strict=True)
    # `strict`: it raises an error instead of returning None.
    found = REGISTRY.of(cast("Config", config), given)
    if keep_warm:
        engine_of(found).keep_warm = True
        # Now, because a readiness probe may look at its status without reading it.
        engine_of(found).prefetch()
    return found


def reset() -> None:
    """Drop every provider of the process, for tests."""
    REGISTRY.reset()
