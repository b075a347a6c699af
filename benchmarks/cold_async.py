"""From the start of a process to the first credentials of an aiobotocore session.

Both times include the interpreter and the imports, most of which is aiobotocore's own. So a second
row has the time after that import: for irsa-creds it includes `import irsa_creds`, `install()` and
loading botocore's endpoint rules, which the sandbox's custom endpoint would skip for irsa-creds
only. All modules are compiled beforehand, as in an installed package. The sides take turns; the
figures are medians. Target: after the import, no slower than aiobotocore's own provider.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiobotocore.session import AioSession

    from benchmarks._bench import Row

_PROCESSES = 9
_OURS = "irsa-creds"


def run() -> list[Row]:
    """Measure."""
    # The child runs this file too, and imports only what a program would.
    from benchmarks._bench import Child, Row, median_of, pod_for, spread_of  # noqa: PLC0415
    from benchmarks._measure import AS_INSTALLED, OURS, THEIRS  # noqa: PLC0415
    from irsa_creds.testing import Sandbox  # noqa: PLC0415

    results: dict[str, list[dict[str, float]]] = {THEIRS: [], OURS: []}
    with Sandbox() as sandbox:
        pod = pod_for(sandbox)
        for _ in range(1 + _PROCESSES):
            for side, found in results.items():
                # Parent and child use the same monotonic clock.
                arguments = (time.perf_counter(),)
                with Child("benchmarks.cold_async", side, arguments, pod, **AS_INSTALLED) as child:
                    found.append(child.result())
    # The first process of each side compiles the modules.
    theirs, ours = (
        {name: median_of([each[name] for each in found[1:]]) for name in found[0]}
        for found in results.values()
    )
    what = "cold start to first aiobotocore credentials"
    whole, after = ((theirs[name], ours[name]) for name in ("whole", "after"))
    met = after[1] <= after[0]
    note = {
        name: spread_of(*([one[name] for one in each[1:]] for each in results.values()))
        for name in ("whole", "after")
    }
    return [
        Row(f"{what}: from the process's start", "ms", *whole, note=note["whole"], raw=results),
        Row(f"{what}: after aiobotocore's import", "ms", *after, "ratio >= 1", met, note["after"]),
    ]


def main(side: str, started: float) -> None:
    """Run the child."""
    from aiobotocore.session import AioSession  # noqa: PLC0415 - part of the time

    imported = time.perf_counter()
    if side == _OURS:
        import irsa_creds  # noqa: PLC0415 - part of the time

        irsa_creds.install()
    asyncio.run(_first(AioSession(), side))
    now = time.perf_counter()
    figures = {"whole": now - started, "after": now - imported}
    print(json.dumps({name: seconds * 1000 for name, seconds in figures.items()}))


async def _first(session: AioSession, side: str) -> None:
    credentials = await session.get_credentials()
    if side == _OURS:
        from irsa_creds._exchange import endpoint  # noqa: PLC0415 - a refresh imports it too

        config = credentials.provider._identity  # noqa: SLF001
        # On another thread, as in a refresh.
        await asyncio.to_thread(endpoint.endpoint_url, config._replace(endpoint_url=None))
    await credentials.get_frozen_credentials()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
