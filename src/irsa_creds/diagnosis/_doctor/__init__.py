"""Checks of a pod: environment, token file, role, versions, credential chain."""
