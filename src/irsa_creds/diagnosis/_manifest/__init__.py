"""Checks of Kubernetes manifests."""
