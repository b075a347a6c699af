"""How sessions of boto3 and aiobotocore get irsa-creds: `install()`, and sessions that pickle.

A chain provider stands in each session's credential provider chain, where botocore's own provider
was, and returns a credentials object of `_botocore`. `compat` has the private names of botocore
that this needs, with checks that they exist, and lists the others.

May import: `_provider` and below.
"""
