"""Settings of a botocore session: its profile, its files, its default client config."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from irsa_creds._identity.endpoint_settings import HttpSettings
from irsa_creds._sessions.compat import last_client_region

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SessionSettings"]

# The name of a session's setting, where it differs from that of its profile key (botocore 1.44.8,
# configprovider).
_NAMES = {"sdk_ua_app_id": "user_agent_appid"}


class SessionSettings:
    """Settings as a session of botocore or aiobotocore reads them.

    Args:
        session: sync or async.
        profile_name: the profile that names role and token: the session's own, or one that a
            `source_profile` names.
        explicit_profile: whether the web identity variables are ignored.
    """

    def __init__(self, session: Any, profile_name: str, *, explicit_profile: bool) -> None:
        self._session = session
        self.profile_name = profile_name
        self.explicit_profile = explicit_profile

    def variable(self, name: str) -> str | None:
        return os.environ.get(name)

    def profile(self, key: str) -> Any:
        return self._session.get_scoped_config().get(key)

    @property
    def profiles(self) -> Mapping[str, Any]:
        profiles: Mapping[str, Any] = self._session.full_config["profiles"]
        return profiles

    def with_source_profile(self, name: str) -> SessionSettings:
        return SessionSettings(self._session, name, explicit_profile=True)

    def services(self, section: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self._session.full_config.get("services", {}).get(section)
        return found

    def option(self, name: str) -> Any:
        name = _NAMES.get(name, name)
        # As in botocore 1.44.8, client.ClientEndpointBridge: FIPS, for one, may be set there.
        given = getattr(self._session.get_default_client_config(), name, None)
        return self._session.get_config_variable(name) if given is None else given

    def sts_arguments(self) -> Mapping[str, Any]:
        given = self._session.get_default_client_config()
        session_region = self._session.instance_variables().get("region")
        return {
            "session_region": getattr(given, "region_name", None) or session_region,
            "client_region": last_client_region(self._session),
            "http": HttpSettings.resolve(
                self,
                proxies=getattr(given, "proxies", None),
                client_cert=getattr(given, "client_cert", None),
                proxies_config=getattr(given, "proxies_config", None),
            ),
        }
