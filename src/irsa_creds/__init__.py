"""AWS credentials for pods with IRSA: refreshed before anybody needs them."""

from __future__ import annotations

from irsa_creds._version import __version__

__all__ = ["__version__"]
