"""How sessions of boto3 and aiobotocore get irsa-creds: `install()`, and sessions that pickle.

A chain provider of irsa-creds replaces botocore's in each session's credential provider chain, and
returns a credentials object of `_botocore`. `install` wraps the two functions that make these
chains, and aiobotocore's once a program has imported it; `factories` makes sessions that pickle.
`compat` has the private names of botocore that this needs, with checks that they exist, and lists
the others.

May import: `_provider` and below.

Imports inside of functions, and the milliseconds that they save a process that does not need them:

    aiobotocore     110   chain_provider, factories: optional, and boto3 does not need it
    boto3            11   factories: optional
    not_configured    1   chain_provider: IRSA needs none of it
"""
