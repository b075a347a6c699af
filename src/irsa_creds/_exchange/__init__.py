"""One call of STS: the request, its response as credentials or a failure, and what errors mean.

A fetcher reads the token, calls STS with retries until the refresh's deadline, and returns a
snapshot or a failure. The chained fetcher does the same for a target role: its source role's
credentials sign the request. `sources` lists the sources of credentials, and says what a further
one needs.

It may import `_engine`, `_identity` and the modules beside the packages.

Late imports, and the milliseconds that they save a process that does not need them (`preload` does
all but the last one, before a refresh or after it):

    botocore, urllib3, ssl   63   http, sts, endpoint: the shared cache has no valid credentials
    xml.etree, email.utils    4   response: the same
    botocore.auth             1   assume_role: role chaining
    advice                    2   request: a caller gets a failure
    botocore.session         40   endpoint: botocore lacks the names of its endpoint rules
"""
