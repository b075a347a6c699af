"""The credentials object and the chain provider for aiobotocore.

`install()` adds the provider to its sessions: `_sessions/install`.
"""

from __future__ import annotations

from irsa_creds._botocore.aio import AioIrsaCredentials
from irsa_creds._sessions.chain_provider import AioIrsaProvider

__all__ = ["AioIrsaCredentials", "AioIrsaProvider"]
