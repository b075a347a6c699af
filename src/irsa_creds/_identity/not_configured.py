"""The error, or the one warning, of settings that name no identity."""

from __future__ import annotations

import logging
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from irsa_creds._errors import ConfigError
from irsa_creds._identity.profile_sources import ASSUMED, LATER, OWN_PROCESS
from irsa_creds._identity.settings import CONTAINER_VARIABLES, FULL_URI
from irsa_creds._masking import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from irsa_creds._identity.profile_sources import ProfileKeys
    from irsa_creds._identity.settings import Settings

__all__ = ["not_configured", "obstacle", "warn_of_other_provider"]

_log = logging.getLogger("irsa_creds")

# An empty token file is named on purpose.
_OTHER_VARIABLES = (*CONTAINER_VARIABLES, "AWS_WEB_IDENTITY_TOKEN_FILE")


def not_configured(settings: Settings, arguments: Mapping[str, Any]) -> ConfigError:
    """Return the error of settings and arguments of `provider()` that name no identity."""
    role = _role_variable(settings)
    container = next(
        (name for name in CONTAINER_VARIABLES if settings.variable(name) is not None), None
    )
    if container is None:
        other = (
            f"EKS Pod Identity is not configured either: EKS sets {FULL_URI} in pods started after "
            "their association was created"
        )
    else:
        change = obstacle(settings, arguments) or "unset IRSA_CREDS_CONTAINER"
        other = f"{container} is set; to use it, {change}"
    start = f"AWS_ROLE_ARN is {quoted(role)}, but no" if role else "No"
    return ConfigError(
        f"{start} web identity token is named, so IRSA is not configured; set "
        "AWS_WEB_IDENTITY_TOKEN_FILE (the Pod Identity webhook does, for pods started after "
        "their service account was annotated) or the profile's web_identity_token_file. "
        f"{other}."
    )


def obstacle(settings: Settings, arguments: Mapping[str, Any]) -> str:
    """Return what to change so that a source of last resort is used, as the end of a sentence.

    "": nothing.

    Args:
        settings: the environment's or a session's.
        arguments: of `provider()`; all but the region describe calls of STS.
    """
    if of_sts := arguments.keys() - {"region"}:
        return f"omit the argument {min(of_sts)}, which is for STS"
    if _role_variable(settings):
        return "unset AWS_ROLE_ARN"
    if _has_keys_of(settings, ASSUMED, *LATER):
        name = quoted(settings.profile_name)
        return f"name another profile than {name}, which has a role or credentials"
    return ""


def warn_of_other_provider(settings: Settings) -> None:
    """Log one warning if IRSA was probably intended, and a chain continues without a token."""
    if _role_variable(settings):
        _warn_once(
            "AWS_ROLE_ARN is set, but AWS_WEB_IDENTITY_TOKEN_FILE is not: IRSA is not configured, "
            "and credentials come from another provider. Unset the first, or set the second."
        )
    elif settings.variable("KUBERNETES_SERVICE_HOST") and not _names_other_source(settings):
        _warn_once(
            "IRSA is not configured in this pod: AWS_WEB_IDENTITY_TOKEN_FILE is not set. Likely "
            "causes: no annotation eks.amazonaws.com/role-arn on the service account, a pod older "
            "than it, no Pod Identity webhook. Other credentials are used, if there are any. Run: "
            "irsa-creds doctor"
        )


def _names_other_source(settings: Settings) -> bool:
    """Return whether the settings name other credentials, or turn IRSA off on purpose."""
    return any(settings.variable(name) is not None for name in _OTHER_VARIABLES) or _has_keys_of(
        settings, *LATER
    )


def _has_keys_of(settings: Settings, *sources: ProfileKeys) -> bool:
    profile = settings.profiles.get(settings.profile_name, {})
    return any(
        key in profile and not re.fullmatch(OWN_PROCESS, str(profile[key]))
        for source in sources
        for key in source.keys
    )


def _role_variable(settings: Settings) -> str | None:
    return None if settings.explicit_profile else settings.variable("AWS_ROLE_ARN")


@cache
def _warn_once(message: str) -> None:
    _log.warning(message)
