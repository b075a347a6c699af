"""When credentials are refreshed, and how threads, tasks and forked processes wait for that.

One `Engine` has an identity's snapshot, its refresh in progress and its back-off. It gets new
credentials from a fetcher and does not call STS itself.

May import: the modules beside the packages (`_errors` and others).
"""
