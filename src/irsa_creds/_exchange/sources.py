"""The sources of credentials: how each finds its identity, and which fetcher gets its credentials.

A further source is a file in `_identity`, a file here, and a row in `SOURCES`. `container`, in both
packages, is a model for requests of JSON with a token.

1.  In `_identity`, a hashable class with the members of `Identity`, and a function that returns
    one, or None if the settings do not configure this source. If it is a `last_resort` (see 3), no
    arguments but the region are given. The names of its variables are in `settings`, so that other
    sources do not import that file. Its `name` is in logs, events and metrics, so it has no secret.
2.  In this package, a `RetryingFetcher`; with a token, a `TokenFetcher` that sends its
    `_token_to_send(refresh)`. An optional token that is not given is `GivenToken("")`.
    -   `prepare` returns `preload.http_module(url)`: the file does not import `http`, which imports
        botocore.
    -   `_attempt` sends one request by `http.send_request`, until the deadline, inside of
        `http.without_frames`, which keeps its secrets out of tracebacks. It returns
        `_snapshot(...)`. If that is None or the request failed, it returns a `Failure` with its own
        text, without secrets (`mask`), and with the `service` and `operation` of the class.
        `Cause.advised` adds the advice; `classify` and `response` are STS's.
    -   The lifetime is finite: credentials without an expiration get `fetching.NO_EXPIRATION`, and
        `longest_age` says when to look for newer ones.
    -   `calls` counts requests, and `reset_after_fork` starts the count again.
    -   If the settings are to name certificates and proxies, the identity has what
        `HttpSettings.resolve` reads there, and `_attempt` sends with that.
3.  In `SOURCES`, a row at its place in the order of precedence. Its key is the `METHOD` of
    botocore's provider that it replaces in the chains of sessions; if botocore has none, only
    `provider()` and strict sessions use the source. It may have a variable that turns it off. It is
    a `last_resort` if it comes after the web identity and does not take its arguments; a source
    without a role always is.
4.  For messages, a branch of the error in `_identity/not_configured`. If it replaces a provider of
    botocore, its variables are in `_OTHER_VARIABLES` there. For `irsa-creds exec`, they are in
    `cli/_child_environ.REMOVED`. `docs/reference/settings.md` has all variables.
5.  For metrics, its label in `opentelemetry._source_of`, by the identity's `name`.
6.  For clients of the AWS SDK for Python v4, a function in `_smithy/chain_providers`, its slot in
    `_smithy/interface`, and an entry point in pyproject.toml.
7.  For `doctor`, to which the text of each failure points, what Pod Identity has:
    -   its variables and `container_facts` in `pod_facts`, its place in `environment` and
        `provider_chain`, and in `injected` of `doctor`,
    -   the checks of `_doctor/container` and `_network/container`, which `doctor` lists, and their
        letter in `_checks`,
    -   the last line in `cli/_doctor`.
    `whoami` uses `pod_facts` and `provider_chain` too; as an endpoint it shows the identity's
    `name`.

`tests/exchange/test_second_source.py` adds a source by the first three steps, without a token. A
provider needs no change, and only a `WebIdentityFetcher` uses the shared cache: the names of its
entries are made of the claims of a JWT.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from irsa_creds._exchange.preload import sts_client
from irsa_creds._exchange.token_fetcher import WebIdentityFetcher
from irsa_creds._flags import switch
from irsa_creds._identity.config import Config
from irsa_creds._identity.settings import CONTAINER_VARIABLES, follow_source_profiles
from irsa_creds._identity.token import TokenCall, TokenFile
from irsa_creds._record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from irsa_creds._engine.clock import Clock
    from irsa_creds._engine.engine import Engine
    from irsa_creds._engine.fetching import RetryingFetcher
    from irsa_creds._identity.container import ContainerEndpoint
    from irsa_creds._identity.identity import Identity
    from irsa_creds._identity.settings import Settings

__all__ = ["SOURCES", "Source", "find_identity", "sources_in_use"]

# Each of these arguments takes precedence over the profile's key.
_BEFORE_SOURCE_PROFILE = {"role_arn", "token_file", "token"}


class Source(Record):
    """One source of credentials.

    Attributes:
        find: returns the identity that settings and arguments of `provider()` name, or None.
        fetcher: returns the fetcher of an identity, given the engine of its source role, if it has
            one, and the clocks.
        switch: the variable that turns it off, so that botocore's own provider stays; "": none.
        last_resort: whether `provider()` and strict sessions use it only if nothing else is named:
            no role and no other source of botocore in the settings, no argument for a call of STS.
    """

    __slots__ = ()

    find: Callable[[Settings, Mapping[str, Any]], Identity | None]
    fetcher: Callable[[Any, Any, Clock], RetryingFetcher]
    switch: str = ""
    last_resort: bool = False


def find_identity(settings: Settings, arguments: Mapping[str, Any]) -> Identity:
    """Return the identity of the source that takes precedence.

    Args:
        settings: the environment's or a session's.
        arguments: of `provider()`, without the ones that are not part of the identity.

    Raises:
        ConfigError: a value is malformed, or no source is configured.
    """
    in_use = sources_in_use().values()
    found = _find_first([each for each in in_use if not each.last_resort], settings, arguments)
    if found is not None:
        return found
    from irsa_creds._identity.not_configured import not_configured, obstacle  # noqa: PLC0415 - see the package

    if not obstacle(settings, arguments):
        found = _find_first([each for each in in_use if each.last_resort], settings, arguments)
    if found is None:
        raise not_configured(settings, arguments)
    return found


def _find_first(
    sources: Iterable[Source], settings: Settings, arguments: Mapping[str, Any]
) -> Identity | None:
    identities = (each.find(settings, arguments) for each in sources)
    return next((each for each in identities if each is not None), None)


def sources_in_use() -> dict[str, Source]:
    """Return the rows of `SOURCES` that no variable turns off."""
    return {
        method: source
        for method, source in SOURCES.items()
        if not source.switch or switch(source.switch, default=True)
    }


# -- web identity, alone and with role chaining ----------------------------------------------------


def _find_source_profile(settings: Settings, arguments: Mapping[str, Any]) -> Config | None:
    if arguments.keys() & _BEFORE_SOURCE_PROFILE:
        return None
    source, roles = follow_source_profiles(settings)
    if not roles:
        return None
    return Config.resolve(source, **source.sts_arguments(), **arguments, roles=roles)


def _find_web_identity(settings: Settings, arguments: Mapping[str, Any]) -> Config | None:
    return Config.resolve(settings, **settings.sts_arguments(), **arguments)


def _web_identity_fetcher(config: Config, source: None, clock: Clock) -> WebIdentityFetcher:
    del source
    token = TokenCall(config.token) if config.token else TokenFile(config.token_file or "")
    return WebIdentityFetcher(
        config.name,
        token,
        partial(sts_client, config),
        ceiling=config.lifetime_ceiling,
        clock=clock,
    )


def _assume_role_fetcher(config: Config, source: Engine, clock: Clock) -> WebIdentityFetcher:
    from irsa_creds._exchange.chained_fetcher import AssumeRoleFetcher  # noqa: PLC0415 - see the package

    return AssumeRoleFetcher(
        config.name,
        source,
        partial(sts_client, config),
        ceiling=config.lifetime_ceiling,
        clock=clock,
    )


# -- container credentials endpoints: EKS Pod Identity, Amazon ECS ---------------------------------


def _find_container(settings: Settings, arguments: Mapping[str, Any]) -> Identity | None:
    if all(settings.variable(name) is None for name in CONTAINER_VARIABLES):
        return None
    from irsa_creds._identity.container import find_container  # noqa: PLC0415 - IRSA needs none of it

    return find_container(settings, arguments)


def _container_fetcher(endpoint: ContainerEndpoint, source: None, clock: Clock) -> RetryingFetcher:
    from irsa_creds._exchange.container import ContainerFetcher  # noqa: PLC0415 - the same

    del source
    return ContainerFetcher(endpoint, clock=clock)


#: By the `METHOD` of botocore's provider, in the order of precedence, which is botocore's.
SOURCES: dict[str, Source] = {
    "assume-role": Source(_find_source_profile, _assume_role_fetcher),
    "assume-role-with-web-identity": Source(_find_web_identity, _web_identity_fetcher),
    "container-role": Source(
        _find_container, _container_fetcher, "IRSA_CREDS_CONTAINER", last_resort=True
    ),
}
