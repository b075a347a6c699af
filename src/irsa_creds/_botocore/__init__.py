"""The credentials objects, chain providers and sessions of boto3, botocore and aiobotocore.

They use the engine of a provider. `compat` has all private names of botocore that are in use, with
checks that they exist.

May import: `_registry` and below.
"""
