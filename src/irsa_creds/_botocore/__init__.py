"""The credentials objects, chain providers and sessions of boto3, botocore and aiobotocore.

They use the engine of a provider. `compat` has the private names of botocore that `install()`
needs, with checks that they exist, and lists the others.

May import: `_registry` and below.
"""
