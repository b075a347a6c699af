"""When credentials are refreshed, and how threads, tasks and forked processes wait for that.

One `Engine` has an identity's snapshot, its refresh in progress and its back-off. It gets new
credentials from a fetcher and does not call STS itself.

May import: the modules beside the packages (`_errors` and others).

Imports inside of functions, and the milliseconds that they save a process that does not need them:

    asyncio         23   waiting: a task waits
    events, status   9   subscribers, engine: a program subscribes, or calls `status()`
    inspect          5   subscribers: a program subscribes
"""
