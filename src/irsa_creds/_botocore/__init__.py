"""The credentials objects of botocore and aiobotocore, and errors as subclasses of botocore's.

They read the engine of a provider.

May import: `_registry` and below.

Imports inside of functions, and the milliseconds that they save a process that does not need them:

    errors   1   credentials: an error is raised
"""
