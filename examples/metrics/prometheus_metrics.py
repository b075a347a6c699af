import math

from prometheus_client import Counter, Gauge, Histogram

import irsa_creds

ATTEMPTS = Counter("irsa_creds_refresh_attempts", "Attempts to refresh.", ["outcome", "error_type"])
DURATION = Histogram("irsa_creds_refresh_duration_seconds", "Of refreshes that succeeded.")
TIME_TO_LIVE = Gauge("irsa_creds_credentials_time_to_live_seconds", "Time left of the credentials.")
CODES = set[str]()
MOST_CODES = 32


def bounded(code: str) -> str:
    """Return a label for a code; a server that is not STS may return any code."""
    if len(CODES) < MOST_CODES:
        CODES.add(code)
    return code if code in CODES else "_OTHER"


def measure(event: irsa_creds.Event) -> None:
    match event:
        case irsa_creds.RefreshSucceeded():
            ATTEMPTS.labels("success", "").inc()
            DURATION.observe(event.latency)
        case irsa_creds.RefreshFailed():
            ATTEMPTS.labels("failure", bounded(event.code)).inc()


def time_to_live() -> float:
    status = provider.status()
    starting = status.state == "empty" and status.last_failure is None
    return math.nan if starting else status.seconds_left


provider = irsa_creds.provider()
provider.subscribe(measure)
irsa_creds.provider(keep_warm=True)  # the same one: it fetches now, and `measure` sees it
TIME_TO_LIVE.set_function(time_to_live)
