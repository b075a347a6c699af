"""How long the provider serves credentials of an STS with a wrong `Date`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import irsa_creds
from sts_server import ROLE, StsServer, credentials_xml, http, send

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("duration", "slow"), [(None, timedelta(minutes=50)), (900, timedelta(seconds=55))]
)
def test_a_slow_date_does_not_make_credentials_outlive_their_expiration(
    tmp_path: Path, duration: int | None, slow: timedelta
) -> None:
    token = tmp_path / "token"
    token.write_text("a.b.c")
    now = datetime.now(UTC)
    expiration = now + timedelta(seconds=duration or 3600)
    response = http(
        credentials_xml(f"{expiration:%Y-%m-%dT%H:%M:%SZ}"),
        Date=f"{now - slow:%a, %d %b %Y %H:%M:%S GMT}",
    )
    with StsServer([send(response)]) as server:
        provider = irsa_creds.provider(
            role_arn=ROLE,
            token_file=token,
            endpoint_url=server.url,
            duration_seconds=duration,
        )
        provider.get()
    served_until = datetime.now(UTC) + timedelta(seconds=provider.status().seconds_left)
    assert served_until < expiration
