"""Credentials that the processes of a pod share in files: a fetcher that looks there first.

One process takes an entry's lock and calls STS. The others wait for the entry, for about 10 s at
most, and then call STS themselves. No error of the directory can make a refresh fail.

May import: `_exchange` and below.

Imports inside of functions, and the milliseconds that they save a process that does not need them:

    filelock  11   store: the cache has no valid credentials
"""
