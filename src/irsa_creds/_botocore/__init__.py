"""The credentials objects of botocore and aiobotocore, and errors as subclasses of botocore's.

They read the engine of a provider.

May import: `_registry` and below.
"""
