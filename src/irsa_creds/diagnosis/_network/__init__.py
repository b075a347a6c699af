"""Check DNS, TLS, proxy, clock, issuer, STS (N01 to N06, S01, S02) and a container endpoint (A03).

`gather` makes all network calls and returns `network_facts`; the checks are pure functions over
these facts. `issuer` follows an unverified token, so it contacts only `addresses` that are allowed,
by a `pinned` connection.

May import: the modules beside the packages (`_checks`, `_claims`, `_fixes`).
"""
