"""The credentials objects, chain providers and sessions of boto3, botocore and aiobotocore.

They rest on the engine. Each private name of botocore that is used stands in `compat`, with a check
that it exists.

May import: `_registry` and below.
"""
