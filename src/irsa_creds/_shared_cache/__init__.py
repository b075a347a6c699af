"""Credentials that the processes of a pod share in files: a fetcher that looks there first.

One process takes an entry's lock and calls STS. The others wait for the entry. If the lock holder
ends, the next one has the lock at once; if it is suspended, one of them replaces the lock after
about 5 s. Only after 10 s they call STS themselves. At later refreshes the process that wrote the
entry is first, and the others look into the entry up to 5 s later. No error of the directory can
make a refresh fail.

May import: `_exchange` and below.

Imports inside of functions, and the milliseconds that they save a process that does not need them:

    filelock  11   store: the cache has no valid credentials
"""
