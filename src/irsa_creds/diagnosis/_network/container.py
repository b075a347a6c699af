"""A03: one request to the container credentials endpoint of this pod."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from irsa_creds._engine.clock import SystemClock
from irsa_creds._errors import ConfigError, Failure, TokenError
from irsa_creds._exchange.container import ContainerFetcher
from irsa_creds._identity.container import find_container
from irsa_creds._identity.settings import EnvironSettings
from irsa_creds.diagnosis._checks import Check
from irsa_creds.diagnosis._network.probes import STEP, StepError, within

if TYPE_CHECKING:
    from collections.abc import Mapping

    from irsa_creds._credentials import Credentials

__all__ = ["container_check"]

# The agent runs on the host's network, one hop from the pod.
_TIMED_OUT = {"ConnectTimeoutError", "ReadTimeoutError", "Timeout"}
_HOPS = (
    " A network policy, a proxy of the mesh or a hop limit of 1 on the way may drop the packets: "
    "the agent must run with hostNetwork."
)


def container_check(environ: Mapping[str, str], profile: str | None, *, used: bool) -> Check:
    """Request credentials once, and return A03.

    Args:
        environ: the environment variables.
        profile: the profile that code names.
        used: whether this pod uses the endpoint; else a failure is a warning.
    """
    try:
        endpoint = find_container(EnvironSettings(environ, profile), {})
        if endpoint is None:
            return Check("A03", "skipped", "No container credentials endpoint is configured.")
        name = endpoint.name
        fetcher = ContainerFetcher(endpoint, clock=SystemClock())
        token = fetcher.token_source.read()
        found = within(STEP, lambda: fetcher.request(token, STEP - 1))
    except (ConfigError, TokenError):
        return Check("A03", "skipped", "There is no valid setting or token: see A01 and A02.")
    except StepError as error:
        found = Failure("exchange", "Timeout", f"The endpoint did not respond: {error}.")
    if isinstance(found, Failure):
        hops = _HOPS if found.code in _TIMED_OUT else ""
        return Check(
            "A03",
            "fail" if used else "warn",
            f"{found.message} {found.advice}{hops}".strip(),
            found.command,
            {"code": found.code},
        )
    return Check(
        "A03",
        "ok",
        f"{name} returned credentials for {_seconds(found):,.0f} s.",
        data={"access_key_id": found.access_key_id, "account_id": found.account_id},
    )


def _seconds(credentials: Credentials) -> float:
    return (credentials.expiration - datetime.now(UTC)).total_seconds()
