"""How the shared cache is turned on and off, and that it is off where nobody did."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.session import Session

import irsa_creds
from irsa_creds._provider import engine_of
from races.harness import LoopbackSts
from sts_server import JWT

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sts() -> Iterator[LoopbackSts]:
    with LoopbackSts() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _pod(sts: LoopbackSts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in sts.pod(tmp_path).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "token").write_text(JWT)
    # Where the container's own place would be.
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()


def own(folder: Path) -> list[str]:
    """Return what kinds of files are in the directory of ours."""
    found = [folder, *folder.glob("irsa-creds-*")][-1]
    return sorted(each.suffix for each in found.iterdir()) if found.exists() else []


def as_another_process() -> irsa_creds.Credentials:
    """Return what a process gets that has nothing yet."""
    irsa_creds.reset()
    return irsa_creds.provider().get()


def test_nothing_is_written_where_nobody_asked_for_it(
    sts: LoopbackSts, tmp_path: Path, place: Path
) -> None:
    irsa_creds.install()
    irsa_creds.provider(shared_cache=False).get()
    assert not own(tmp_path / "tmp")
    assert not place.exists()
    assert (
        "irsa_creds._shared_cache.shared_fetcher" in sys.modules
        or engine_of(irsa_creds.provider()).shared_fetcher is None
    )
    assert as_another_process()
    assert len(sts.calls) == 2


@pytest.mark.parametrize("as_path", [str, Path])
def test_a_provider_shares_in_the_directory_that_it_is_given(
    as_path: type[str | Path], sts: LoopbackSts, place: Path
) -> None:
    first = irsa_creds.provider(shared_cache=as_path(place)).get()
    irsa_creds.reset()
    assert irsa_creds.provider(shared_cache=as_path(place)).get() == first
    assert len(sts.calls) == 1
    assert own(place) == [".json", ".lock"]


def test_a_provider_shares_in_the_containers_own_place(sts: LoopbackSts, tmp_path: Path) -> None:
    first = irsa_creds.provider(shared_cache=True).get()
    irsa_creds.reset()
    assert irsa_creds.provider(shared_cache=True).get() == first
    assert len(sts.calls) == 1
    assert [each.name for each in (tmp_path / "tmp").iterdir()] == [f"irsa-creds-{os.geteuid()}"]


def test_the_environment_names_a_place_for_all_providers(
    sts: LoopbackSts, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_CACHE_DIR", str(place))
    assert as_another_process() == as_another_process()
    assert len(sts.calls) == 1


def test_an_empty_variable_is_none(
    place: Path, sts: LoopbackSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_CACHE_DIR", "")
    as_another_process()
    assert engine_of(irsa_creds.provider()).shared_fetcher is None


def test_install_lets_all_sessions_share_and_uninstall_undoes_it(
    sts: LoopbackSts, place: Path
) -> None:
    irsa_creds.install(shared_cache=place)
    key = Session().get_credentials().get_frozen_credentials().access_key
    assert as_another_process().access_key_id == key
    assert len(sts.calls) == 1
    irsa_creds.uninstall()
    assert engine_of(irsa_creds.provider()).shared_fetcher is None
    assert as_another_process().access_key_id != key


def test_providers_that_exist_share_from_then_on(sts: LoopbackSts, place: Path) -> None:
    provider = irsa_creds.provider()
    irsa_creds.install(shared_cache=str(place))
    key = provider.get().access_key_id
    assert as_another_process().access_key_id == key


def test_a_provider_that_was_sent_to_a_worker_shares_in_the_same_place(
    sts: LoopbackSts, place: Path
) -> None:
    sent = pickle.dumps(irsa_creds.provider(shared_cache=place))
    key = irsa_creds.provider().get().access_key_id
    irsa_creds.reset()
    assert pickle.loads(sent).get().access_key_id == key
    assert len(sts.calls) == 1


def test_what_is_invalidated_comes_back_to_nobody(sts: LoopbackSts, place: Path) -> None:
    provider = irsa_creds.provider(shared_cache=place)
    key = provider.get().access_key_id
    provider.invalidate(key)
    second = provider.get().access_key_id
    assert second != key
    irsa_creds.reset()
    assert irsa_creds.provider(shared_cache=place).get().access_key_id == second
    assert len(sts.calls) == 2


def test_close_leaves_what_is_shared_and_purge_removes_it(sts: LoopbackSts, place: Path) -> None:
    provider = irsa_creds.provider(shared_cache=place)
    key = provider.get().access_key_id
    provider.close()
    assert provider.get().access_key_id == key
    provider.close(purge=True)
    assert not own(place)
    assert provider.get().access_key_id != key


def test_a_child_keeps_the_time_that_was_drawn_for_all(sts: LoopbackSts, place: Path) -> None:
    provider = irsa_creds.provider(shared_cache=place)
    provider.get()
    drawn = engine_of(provider).snapshot.refresh_at
    engine_of(provider).reset_after_fork()
    assert 0 <= engine_of(provider).snapshot.refresh_at - drawn <= 5


def test_a_provider_may_stay_out_of_what_the_others_share(
    sts: LoopbackSts, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_CACHE_DIR", str(place))
    irsa_creds.install(shared_cache=place)
    alone = irsa_creds.provider(shared_cache=False)
    alone.get()
    assert engine_of(alone).shared_fetcher is None
    assert not place.exists()
    assert engine_of(pickle.loads(pickle.dumps(alone))).shared_fetcher is None


OTHER_ROLE = "arn:aws:iam::123456789012:role/reader"


def place_of(provider: irsa_creds.Provider) -> str | None:
    shared_fetcher = engine_of(provider).shared_fetcher
    return None if shared_fetcher is None else shared_fetcher.given


def test_a_chain_shares_what_it_stands_on_in_the_same_place(place: Path) -> None:
    further = irsa_creds.provider(assume=[OTHER_ROLE], shared_cache=place)
    assert place_of(irsa_creds.provider()) == str(place)
    assert place_of(further) == str(place)


@pytest.mark.parametrize("order", [1, -1])
def test_a_provider_that_stays_out_does_so_also_where_a_chain_that_shares_stands_on_it(
    place: Path, order: int
) -> None:
    first = irsa_creds.provider(shared_cache=False)
    chains: list[tuple[Path | bool, str]] = [(place, "a"), (False, "b")]
    kept = [
        irsa_creds.provider(
            assume=[irsa_creds.RoleConfig(OTHER_ROLE, session_name=f"chain-{name}")],
            shared_cache=where,
        )
        for where, name in chains[::order]
    ]
    assert place_of(first) is None
    assert sorted(map(str, map(place_of, kept))) == sorted([str(place), "None"])


def test_a_chain_that_does_not_share_leaves_alone_who_does(place: Path) -> None:
    first = irsa_creds.provider(shared_cache=place)
    irsa_creds.provider(assume=[OTHER_ROLE], shared_cache=False)
    assert place_of(first) == str(place)
