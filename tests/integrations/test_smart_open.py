from __future__ import annotations

from typing import TYPE_CHECKING

import smart_open

import irsa_creds

if TYPE_CHECKING:
    from integrations.conftest import Workload


def test_smart_open_reads_across_refreshes(workload: Workload) -> None:
    irsa_creds.install()
    for _ in workload.turns():
        with smart_open.open("s3://data/greeting", "rb") as opened:
            assert opened.read() == b"hello"


def test_smart_open_writes_across_refreshes(workload: Workload) -> None:
    irsa_creds.install()
    for number, _ in enumerate(workload.turns()):
        with smart_open.open("s3://data/written", "wb") as opened:
            opened.write(b"%d" % number)
        with smart_open.open("s3://data/written", "rb") as opened:
            assert opened.read() == b"%d" % number
