"""How the shared cache is turned on and off, and that it is off by default."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.session import Session

import irsa_creds
from irsa_creds._registry import engine_of
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
    # The default directory is inside this one.
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()


def own(folder: Path) -> list[str]:
    """Return the kinds of files in the private directory."""
    found = [folder, *folder.glob("irsa-creds-*")][-1]
    return sorted(each.suffix for each in found.iterdir()) if found.exists() else []


def as_another_process() -> irsa_creds.Credentials:
    """Return what a new process gets."""
    irsa_creds.reset()
    return irsa_creds.provider().get()


def test_no_file_is_written_unless_the_cache_is_turned_on(
    sts: LoopbackSts, tmp_path: Path, cache_dir: Path
) -> None:
    irsa_creds.install()
    irsa_creds.provider(shared_cache=False).get()
    assert not own(tmp_path / "tmp")
    assert not cache_dir.exists()
    assert (
        "irsa_creds._shared_cache.shared_fetcher" in sys.modules
        or engine_of(irsa_creds.provider()).shared_fetcher is None
    )
    assert as_another_process()
    assert len(sts.calls) == 2


@pytest.mark.parametrize("as_path", [str, Path])
def test_a_provider_shares_in_the_directory_that_it_is_given(
    as_path: type[str | Path], sts: LoopbackSts, cache_dir: Path
) -> None:
    first = irsa_creds.provider(shared_cache=as_path(cache_dir)).get()
    irsa_creds.reset()
    assert irsa_creds.provider(shared_cache=as_path(cache_dir)).get() == first
    assert len(sts.calls) == 1
    assert own(cache_dir) == [".json", ".lock"]


def test_a_provider_shares_in_the_default_directory(sts: LoopbackSts, tmp_path: Path) -> None:
    first = irsa_creds.provider(shared_cache=True).get()
    irsa_creds.reset()
    assert irsa_creds.provider(shared_cache=True).get() == first
    assert len(sts.calls) == 1
    assert [each.name for each in (tmp_path / "tmp").iterdir()] == [f"irsa-creds-{os.geteuid()}"]


def test_the_environment_sets_a_directory_for_all_providers(
    sts: LoopbackSts, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_CACHE_DIR", str(cache_dir))
    assert as_another_process() == as_another_process()
    assert len(sts.calls) == 1


def test_an_empty_variable_counts_as_unset(
    cache_dir: Path, sts: LoopbackSts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_CACHE_DIR", "")
    as_another_process()
    assert engine_of(irsa_creds.provider()).shared_fetcher is None


def test_install_lets_all_sessions_share_and_uninstall_undoes_it(
    sts: LoopbackSts, cache_dir: Path
) -> None:
    irsa_creds.install(shared_cache=cache_dir)
    key = Session().get_credentials().get_frozen_credentials().access_key
    assert as_another_process().access_key_id == key
    assert len(sts.calls) == 1
    irsa_creds.uninstall()
    assert engine_of(irsa_creds.provider()).shared_fetcher is None
    assert as_another_process().access_key_id != key


def test_install_turns_the_cache_on_for_existing_providers(
    sts: LoopbackSts, cache_dir: Path
) -> None:
    provider = irsa_creds.provider()
    irsa_creds.install(shared_cache=str(cache_dir))
    key = provider.get().access_key_id
    assert as_another_process().access_key_id == key


def test_an_unpickled_provider_shares_in_the_same_directory(
    sts: LoopbackSts, cache_dir: Path
) -> None:
    sent = pickle.dumps(irsa_creds.provider(shared_cache=cache_dir))
    key = irsa_creds.provider().get().access_key_id
    irsa_creds.reset()
    assert pickle.loads(sent).get().access_key_id == key
    assert len(sts.calls) == 1


def test_no_provider_gets_an_invalidated_key_again(sts: LoopbackSts, cache_dir: Path) -> None:
    provider = irsa_creds.provider(shared_cache=cache_dir)
    key = provider.get().access_key_id
    provider.invalidate(key)
    second = provider.get().access_key_id
    assert second != key
    irsa_creds.reset()
    assert irsa_creds.provider(shared_cache=cache_dir).get().access_key_id == second
    assert len(sts.calls) == 2


def test_close_keeps_the_shared_entry_and_purge_removes_it(
    sts: LoopbackSts, cache_dir: Path
) -> None:
    provider = irsa_creds.provider(shared_cache=cache_dir)
    key = provider.get().access_key_id
    provider.close()
    assert provider.get().access_key_id == key
    provider.close(purge=True)
    assert not own(cache_dir)
    assert provider.get().access_key_id != key


def test_a_forked_child_keeps_the_random_refresh_time_of_all_processes(
    sts: LoopbackSts, cache_dir: Path
) -> None:
    provider = irsa_creds.provider(shared_cache=cache_dir)
    provider.get()
    random_time = engine_of(provider).snapshot.refresh_at
    engine_of(provider).reset_after_fork()
    assert 0 <= engine_of(provider).snapshot.refresh_at - random_time <= 5


def test_a_provider_with_shared_cache_false_does_not_share(
    sts: LoopbackSts, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRSA_CREDS_CACHE_DIR", str(cache_dir))
    irsa_creds.install(shared_cache=cache_dir)
    alone = irsa_creds.provider(shared_cache=False)
    alone.get()
    assert engine_of(alone).shared_fetcher is None
    assert not cache_dir.exists()
    assert engine_of(pickle.loads(pickle.dumps(alone))).shared_fetcher is None


OTHER_ROLE = "arn:aws:iam::123456789012:role/reader"


def directory_of(provider: irsa_creds.Provider) -> str | None:
    shared_fetcher = engine_of(provider).shared_fetcher
    return None if shared_fetcher is None else shared_fetcher.directory


def test_a_chains_source_role_shares_in_the_same_directory(cache_dir: Path) -> None:
    further = irsa_creds.provider(assume=[OTHER_ROLE], shared_cache=cache_dir)
    assert directory_of(irsa_creds.provider()) == str(cache_dir)
    assert directory_of(further) == str(cache_dir)


@pytest.mark.parametrize("order", [1, -1])
def test_a_source_role_with_shared_cache_false_does_not_share_for_a_chain(
    cache_dir: Path, order: int
) -> None:
    first = irsa_creds.provider(shared_cache=False)
    chains: list[tuple[Path | bool, str]] = [(cache_dir, "a"), (False, "b")]
    kept = [
        irsa_creds.provider(
            assume=[irsa_creds.RoleConfig(OTHER_ROLE, session_name=f"chain-{name}")],
            shared_cache=where,
        )
        for where, name in chains[::order]
    ]
    assert directory_of(first) is None
    assert sorted(map(str, map(directory_of, kept))) == sorted([str(cache_dir), "None"])


def test_a_chain_with_shared_cache_false_does_not_change_its_source_role(cache_dir: Path) -> None:
    first = irsa_creds.provider(shared_cache=cache_dir)
    irsa_creds.provider(assume=[OTHER_ROLE], shared_cache=False)
    assert directory_of(first) == str(cache_dir)
