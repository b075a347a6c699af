"""How clients of the AWS SDK for Python v4 get irsa-creds: providers of its chain, a resolver.

The SDK loads `chain_providers` by entry points, and calls it for each new client. `interface` has
all names of the SDK that this needs, and cannot be imported where one of them is missing.

May import: `_provider` and below.

Imports inside of functions, and the milliseconds that they save a process that does not need them:

    _smithy  1   chain_providers: the SDK may lack a name, which must not stop its clients
"""
