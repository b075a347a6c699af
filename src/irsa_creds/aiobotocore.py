"""aiobotocore's credentials object and chain provider, on irsa-creds' engine."""

from __future__ import annotations

from irsa_creds._botocore.aio import AioIrsaCredentials, AioIrsaProvider

__all__ = ["AioIrsaCredentials", "AioIrsaProvider"]
