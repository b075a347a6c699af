"""`provider()` and `reset()`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from irsa_creds._identity.config import Config, EnvironSettings
from irsa_creds._provider import engine_of
from irsa_creds._registry import REGISTRY, issuer_of_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from irsa_creds._identity.roles import RoleConfig
    from irsa_creds._provider import Provider

__all__ = ["provider", "reset"]

# Arguments of `provider` that are not `Config`'s.
_NO_IDENTITY = {"profile", "keep_warm", "shared_cache"}
# With one of these the way through the profiles begins elsewhere.
_FIRST_ROLE = {"role_arn", "token_file", "token"}


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

    It asks STS at the first read, and refreshes in the background as long as somebody reads:

        provider = irsa_creds.provider()
        credentials = provider.get()  # or, in a task: await provider.aget()
        print(credentials.access_key_id, credentials.expiration)

    Args:
        role_arn: the role to assume; None: `AWS_ROLE_ARN` or the profile's.
        token_file: the path of the web identity token; None: `AWS_WEB_IDENTITY_TOKEN_FILE` or the
            profile's.
        token: a callable that returns the token (a JWT), in place of a file; it is part of the
            identity, so pass the same object each time.
        session_name: 2 to 64 characters; None: `AWS_ROLE_SESSION_NAME`, the profile's, or the
            host's name.
        duration_seconds: the lifetime to ask for, 900 to 43200 at AWS's endpoints; None: the
            profile's, or STS's own default, an hour.
        policy: a session policy, at most 2,048 characters of JSON, or a mapping.
        policy_arns: managed session policies, at most 10.
        region: the region whose STS is asked; None: `AWS_REGION`, `AWS_DEFAULT_REGION`, the
            profile's, that of an EKS issuer's URL, or else AWS's global endpoint.
        endpoint_url: an STS endpoint in place of AWS's own.
        profile: a profile to read; like in botocore it switches the variables off. A profile (this
            one, or that of `AWS_PROFILE`) whose `source_profile` leads to a web identity stands for
            the roles on that way, unless arguments name role or token.
        assume: roles to assume from there on, each with the credentials of the one before: ARNs, or
            `RoleConfig`. The last one's credentials are those that the provider gives; what the
            other arguments say is of the first role, the one of the token.
        keep_warm: fetch at once, and refresh in the background even while nothing reads. Of more
            than 1,024 identities (`IRSA_CREDS_MAX_PROVIDERS`) only those that you hold yourself or
            asked for lately are sure to stay.
        shared_cache: share with the other processes of this pod: in a directory, or True: in the
            container's own one for temporary files; False: not. None: as `install(shared_cache=)`
            or `IRSA_CREDS_CACHE_DIR` say; else not, for it writes secrets, in files of mode 0600.

    Returns:
        A `Provider`: the same object each time for the same identity, safe in threads, tasks and
        after a fork.

    Raises:
        ConfigError: a value is malformed, or IRSA is not configured.
    """
    if shared_cache is not None and not isinstance(shared_cache, bool):
        shared_cache = os.fspath(shared_cache)
    if isinstance(assume, list):
        # The caller may change it: this pickles.
        assume = tuple(assume)
    given = {k: v for k, v in locals().items() if v is not None and (k, v) != ("keep_warm", False)}
    arguments = {k: v for k, v in given.items() if k not in _NO_IDENTITY}
    settings = EnvironSettings(os.environ, profile)
    # Who names role or token does not mean the profile's.
    route = None if arguments.keys() & _FIRST_ROLE else settings.route()
    config = Config.resolve(
        settings if route is None else settings.at_source(route.base),
        **arguments,
        roles=() if route is None else route.roles,
        issuer=issuer_of_file,
        strict=True,
    )
    # Under `strict` it raises instead of returning None.
    found = REGISTRY.of(cast("Config", config), given)
    if keep_warm:
        engine_of(found).keep_warm = True
        # At once: it may never be read, but for a probe that looks at its status.
        engine_of(found).prefetch()
    return found


def reset() -> None:
    """Forget every provider of the process, for tests."""
    REGISTRY.reset()
