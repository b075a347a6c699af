"""Forked children with `keep_warm` and no reads, and children forked during slow imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from races.harness import run

if TYPE_CHECKING:
    from races.harness import LoopbackSts


def test_credentials_are_kept_warm_in_a_forked_child_as_well(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    sts.lifetime = 2.0
    ended = run("fork_kept_warm.py", environ)
    assert ended.status == 0, ended.err
    assert sorted(ended.out.splitlines()) == ["child fresh", "parent fresh"]


def test_a_child_forked_during_imports_that_take_seconds_gets_credentials(
    sts: LoopbackSts, environ: dict[str, str]
) -> None:
    ended = run("fork_in_slow_imports.py", environ, 6, 500)
    assert ended.status == 0, ended.err
    assert ended.out == "1\n", ended.err
    assert len(sts.calls) == 2
