"""How a token becomes credentials: one call of STS, its response, and what an error means.

A fetcher reads the token, calls STS with retries until the refresh's deadline, and returns a
snapshot or a failure. The chained fetcher does the same for a target role, with the source role's
credentials in place of the token.

May import: `_engine`, `_identity` and the modules beside the packages.
"""
