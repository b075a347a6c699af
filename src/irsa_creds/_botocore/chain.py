"""What is done to one session's chain: ours goes into it, and out again."""

from __future__ import annotations

import functools
import inspect
import logging
from typing import TYPE_CHECKING, Any

from botocore.credentials import CredentialResolver

from irsa_creds._botocore import compat
from irsa_creds._botocore.chain_provider import ChainProviderMixin
from irsa_creds._botocore.credentials import HOP_METHOD, METHOD, CredentialsMixin
from irsa_creds._botocore.expired_token import forget_expired
from irsa_creds._botocore.sync import IrsaProvider

if TYPE_CHECKING:
    from botocore.session import Session

__all__ = ["leave", "provider_class", "put_first", "reach", "take_hops", "with_ours"]

_log = logging.getLogger("irsa_creds")
_OURS = "irsa_creds_hops"


def with_ours(
    chain: list[Any], session: Session, profile_name: str, *, explicit_profile: bool
) -> list[Any]:
    """Return the providers of a chain with ours in the place of botocore's own.

    Args:
        chain: botocore's list.
        session: whose chain it is.
        profile_name: the profile that names role and token.
        explicit_profile: whether code named it: the web identity variables are off then.
    """
    cls = provider_class(session)
    return [
        cls(session, profile_name, disable_env_vars=explicit_profile, replaced=each)
        if cls and _is_botocores(each)
        else each
        for each in chain
    ]


def take_hops(chain: CredentialResolver, session: Session) -> None:
    """Let ours be asked first for the roles that are reached by `source_profile`.

    Botocore's own provider stays in its place and does all else: others find it there by its name,
    and give it a cache or who asks for an MFA code.
    """
    cls = provider_class(session)
    for each in chain.providers:
        if cls and each.METHOD == HOP_METHOD:
            detour = _detour(each)
            if detour is None:
                profile, explicit = _profile(session)
                detour = _Detour(each, cls(session, profile, disable_env_vars=explicit, hops=True))
            detour.on = True


class _Detour:
    """Ours is asked before one provider's own `load`, as long as this is on."""

    def __init__(self, provider: Any, ours: Any) -> None:
        self.on = True
        self._provider = provider
        # Somebody may have put another in its place before.
        self._instead = vars(provider).get("load")
        self._load = self._asking_first(ours, provider.load)
        provider.load = self._load

    def leave(self) -> None:
        """Put back what was there; where somebody wrapped ours since, that stays, without ours."""
        self.on = False
        if vars(self._provider).get("load") is not self._load:
            return
        if self._instead is None:
            # Of this very provider; below it is its class's own.
            del self._provider.load
        else:
            self._provider.load = self._instead

    def _asking_first(self, ours: Any, original: Any) -> Any:
        """Return the `load` of both, in the colour of `original`."""
        if inspect.iscoroutinefunction(original):

            @functools.wraps(original)
            async def load() -> Any:
                found = await ours.load() if self.on else None
                return await original() if found is None else found
        else:

            @functools.wraps(original)
            def load() -> Any:
                found = ours.load() if self.on else None
                return original() if found is None else found

        # Whoever wraps this with `functools.wraps` takes it along.
        setattr(load, _OURS, self)
        return load


def _detour(provider: Any) -> _Detour | None:
    found = getattr(getattr(provider, "load", None), _OURS, None)
    return found if isinstance(found, _Detour) else None


def _leave_hops(chain: CredentialResolver) -> None:
    for each in chain.providers:
        detour = _detour(each)
        if detour is not None:
            detour.leave()


def put_first(chain: CredentialResolver, session: Session) -> None:
    """Let a chain begin with ours, which never says no: no other identity can slip in."""
    first, cls = chain.providers[0], provider_class(session)
    if cls is None or (isinstance(first, ChainProviderMixin) and first.strict):
        return
    profile, explicit = _profile(session)
    chain.providers.insert(0, cls(session, profile, disable_env_vars=explicit, strict=True))


def reach(session: Session, *, strict: bool, whose: str = "") -> str | None:
    """Put ours into a session that exists already.

    Args:
        session: a session of either colour.
        strict: ours comes first.
        whose: how the warning names the session that `install()` found; empty: it was given one.

    Returns:
        What the session holds that ours does not replace, as botocore names it; None: it is
        reached.
    """
    held = compat.resolved(session)
    stays = _stays(held, strict=strict)
    if stays:
        return stays
    chain = compat.built_chain(session)
    if isinstance(chain, CredentialResolver):
        profile, explicit = _profile(session)
        # In place: whatever else was put into this chain, a cache or a provider, stays.
        chain.providers = with_ours(chain.providers, session, profile, explicit_profile=explicit)
        take_hops(chain, session)
        if strict:
            put_first(chain, session)
    elif strict:
        # It may be of any make, and ours could not come first in it.
        compat.renew_chain(session)
    if held is not None and not isinstance(held if strict else _source(held), CredentialsMixin):
        compat.forget(session)
        _warn_of_clients(_method(held), whose)
    return None


def _warn_of_clients(held: str, whose: str) -> None:
    """Say that clients made before keep what they hold, and whose they are."""
    if whose:
        _log.warning(
            "%s had looked for credentials (%s) before irsa_creds.install(): clients made with it "
            "from now on get ours, those that exist keep the old ones. "
            "Call install() earlier, before other imports.",
            whose,
            held,
        )
    else:
        _log.warning(
            "The session given to irsa_creds.install(session) had looked for credentials (%s) "
            "before: clients made from it before keep the old ones.",
            held,
        )


def leave(session: Session) -> None:
    """Give a session its own chain back."""
    forget_expired(session)
    if isinstance(_source(compat.resolved(session)), CredentialsMixin):
        compat.forget(session)
    chain = compat.built_chain(session)
    if isinstance(chain, CredentialResolver):
        _leave_hops(chain)
        providers = chain.providers
        originals = [p.replaced if isinstance(p, ChainProviderMixin) else p for p in providers]
        chain.providers = [each for each in originals if each is not None]


def provider_class(session: Session) -> type[ChainProviderMixin] | None:
    """Return our provider's class of a session's colour; None where nobody knows that one."""
    if not inspect.iscoroutinefunction(session.get_credentials):
        return IrsaProvider
    if not compat.is_aiobotocores(session):
        return None
    # Its user has imported aiobotocore: nobody else pays for it.
    from irsa_creds._botocore.aio import AioIrsaProvider  # noqa: PLC0415

    return AioIrsaProvider


def _stays(held: Any, *, strict: bool) -> str | None:
    """Return the method of held credentials that ours does not replace; None where it does."""
    if held is None or isinstance(held, CredentialsMixin):
        return None
    stays = (
        # Keys that code gave are no identity that slipped in.
        _method(held) == "explicit"
        if strict
        # Another provider's: ours would not have been asked.
        else _method(_source(held)) != METHOD
    )
    return _method(held) if stays else None


def _source(held: Any) -> Any:
    """Return the credentials from which held ones assume their role; others as they are."""
    source = held
    while _method(source) == "assume-role" and compat.source_credentials(source) is not None:
        source = compat.source_credentials(source)
    return source


def _method(held: Any) -> str:
    return str(getattr(held, "method", "unknown"))


def _is_botocores(provider: Any) -> bool:
    """Whether a provider is the one to replace, in either colour."""
    return provider.METHOD == METHOD and not isinstance(provider, ChainProviderMixin)


def _profile(session: Session) -> tuple[str, bool]:
    """Return a session's profile, and whether code named it: the variables are off then."""
    # As in botocore 1.44.8, credentials.create_credential_resolver.
    name = session.get_config_variable("profile") or "default"
    return name, session.instance_variables().get("profile") is not None
