"""Checks that use the network: DNS, STS, the issuer. The other packages use none."""
