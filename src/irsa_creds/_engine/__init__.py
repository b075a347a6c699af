"""When credentials are refreshed, and how threads, tasks and forked processes wait for that.

One `Engine` has an identity's snapshot, its refresh in progress and its back-off. It gets new
credentials from a fetcher and does not call STS itself.

The way of a read:

    Provider    get returns `Engine.snapshot` until its `check_at`, without a lock
    waiting     acquire and aacquire wait for a refresh; acquire may run it on the caller's thread
    engine      get_or_join decides: credentials, a cached failure, or a refresh to wait for
    slots       starts a queued refresh on a thread
    engine      run calls the fetcher (`fetching` has its attempts) and keeps the outcome
    refresh     settle releases the callers

Without a read, `timer` calls Engine.tick, which creates and queues a refresh that is due. `forks`
has the threads that a fork waits for, and the hooks that give a child new locks.

A `Refresh` is queued, then claimed by the thread that runs it, and done when it has an outcome. It
has ended when no thread runs it. If one is overdue, its callers wait no longer and the next may
start, unless many hang (`slots.Overdue`).

The instants, all in seconds of `Clock.now`:

    Snapshot.refresh_at     when a refresh is due: RetryingFetcher._snapshot (`fetching`) sets it
                            by timing.age_after_blocking, after a refresh that was created without
                            valid credentials, or by age_after_background; timing.shared_delay
                            is added for credentials that another process put into the shared
                            cache; a forked child without that cache gets timing.refresh_in_child.
                            It comes earlier, at half the lifetime at the latest, if no code reads
                            (`reads`, which also ends refreshes after a lifetime without a read).
                            It becomes now if a service calls the key expired (Engine.mark_stale),
                            if the wall clock ran ahead, or if other code sets botocore's
                            `_expiry_time`. Without credentials, the first read, `prefetch` or
                            `keep_warm` creates the refresh; a `min_ttl` may do so at any time
    Snapshot.check_at       until when reads take the fast path, set by Engine._reschedule: a
                            refresh in progress moves it to its own end, so that reads stay fast
    Snapshot.end_of_use     the last one to sign with them, shortly before expires_at
    Backoff.not_before      until when a failure puts off refreshes that no caller waits for
    Backoff.cached_until    until when callers without credentials get the cached failure
    Refresh.overdue_at      from when a refresh counts as hanging
    Engine.wakes_at         when the timer calls tick

May import: the modules beside the packages (`_errors` and others).

Imports inside of functions, and the milliseconds that they save a process that does not need them:

    asyncio         23   waiting: a task waits
    events           9   subscribers, engine: a program subscribes, or calls `status()`
    inspect          5   subscribers: a program subscribes
"""
