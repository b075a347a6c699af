"""Findings about a trust policy and a token, and the change that fixes the policy."""
