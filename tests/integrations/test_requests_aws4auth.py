from __future__ import annotations

from typing import TYPE_CHECKING

import requests
from requests_aws4auth import AWS4Auth

import irsa_creds

if TYPE_CHECKING:
    from integrations.conftest import Workload
    from irsa_creds.testing._server import LoopbackServer


def test_requests_are_signed_across_refreshes(workload: Workload, service: LoopbackServer) -> None:
    credentials = irsa_creds.provider().botocore_credentials()
    auth = AWS4Auth(refreshable_credentials=credentials, region="us-east-1", service="es")
    with requests.Session() as session:
        session.auth = auth
        for _ in workload.turns():
            response = session.post(f"{service.url}/index/_search", json={"query": "x"}, timeout=10)
            assert response.json() == {"answer": 42}
