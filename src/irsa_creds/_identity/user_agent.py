"""The user agent's ids: source of the credentials, and application.

The ids of features are AWS's, by which it counts how its SDKs are used. Source: botocore 1.44.8,
`useragent._USERAGENT_FEATURE_MAPPINGS` and `credentials`, which registers them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from irsa_creds._identity.settings import ARGUMENT
from irsa_creds._record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from irsa_creds._identity.settings import Setting, Settings

__all__ = ["ASSUMED_ROLE", "WEB_IDENTITY", "UserAgent", "resolve_user_agent"]

#: CREDENTIALS_STS_ASSUME_ROLE_WEB_ID: of requests with credentials of a web identity.
WEB_IDENTITY = "k"
#: CREDENTIALS_STS_ASSUME_ROLE: of requests with credentials of a target role.
ASSUMED_ROLE = "i"
# CREDENTIALS_ENV_VARS_STS_WEB_ID_TOKEN and CREDENTIALS_PROFILE_STS_WEB_ID_TOKEN.
_BY_VARIABLE, _BY_PROFILE = "h", "q"
# CREDENTIALS_PROFILE and CREDENTIALS_PROFILE_SOURCE_PROFILE.
_BY_SOURCE_PROFILE = ("n", "o")


class UserAgent(Record):
    """The part of the user agent of an STS call that depends on its settings.

    Attributes:
        features: the ids of AWS's features, in order.
        app_id: the name that the application gives itself (`AWS_SDK_UA_APP_ID`).
    """

    __slots__ = ()

    features: tuple[str, ...] = ()
    app_id: str = ""

    def __str__(self) -> str:
        features = f" ua/2.1 m/{','.join(self.features)}" if self.features else ""
        if not self.app_id:
            return features
        # As in botocore 1.44.8, useragent.sanitize_user_agent_string_component.
        app_id = re.sub(r"[^a-zA-Z0-9!$%&'*+.^_`|~,#-]", "-", self.app_id)
        return f"{features} app/{app_id}"


def resolve_user_agent(
    settings: Settings, found: Iterable[Setting | None], *, by_profile: bool, roles: int
) -> UserAgent:
    """Return the ids that botocore's own STS calls have with these settings.

    Args:
        settings: name the application.
        found: token, role and session name, where arguments, variables or the profile name them.
        by_profile: a profile names target roles.
        roles: the number of target roles.
    """
    features = {
        _BY_VARIABLE if each.origin.startswith("AWS_") else _BY_PROFILE
        for each in found
        if each and not each.origin.startswith(ARGUMENT)
    }
    if by_profile:
        features.update(_BY_SOURCE_PROFILE)
    if roles > 1:
        features.add(ASSUMED_ROLE)
    return UserAgent(tuple(sorted(features)), str(settings.option("sdk_ua_app_id") or ""))
