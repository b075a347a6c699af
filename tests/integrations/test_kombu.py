from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from kombu.asynchronous import Hub, get_event_loop, set_event_loop
from kombu.connection import Connection

import irsa_creds
from engine_fakes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from integrations.conftest import Workload
    from irsa_creds.testing._server import LoopbackServer


@pytest.fixture
def connection(
    workload: Workload, service: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", service.url)
    irsa_creds.install()
    make: Any = Connection  # kombu's types are not finished
    with make("sqs://", transport_options={"wait_time_seconds": 0}) as opened:
        yield opened


@pytest.fixture
def hub() -> Iterator[Any]:
    """Set the loop of Celery's workers; new channels use it."""
    before = get_event_loop()
    make: Any = Hub  # kombu's types are not finished
    with closing(make()) as made:
        set_event_loop(made)
        yield made
    set_event_loop(before)


def test_a_queue_is_filled_and_emptied_across_refreshes(
    connection: Any, workload: Workload
) -> None:
    with connection.SimpleQueue("jobs") as queue:
        for number, _ in enumerate(workload.turns()):
            queue.put({"number": number})
            message = queue.get(block=True, timeout=10)
            assert message.payload == {"number": number}
            message.ack()


# kombu 5.7 uses an option that pycurl 7.49 calls deprecated.
@pytest.mark.filterwarnings("ignore:(IOC|socket_all):DeprecationWarning")
def test_a_consumer_on_a_workers_loop_gets_messages_across_refreshes(
    hub: Any, connection: Any, workload: Workload
) -> None:
    got: list[Any] = []

    def take(body: Any, message: Any) -> None:
        got.append(body)
        message.ack()

    def comes(number: int) -> bool:
        next(loop)
        return number in got

    connection.transport.register_with_event_loop(connection.connection, hub)
    queue = connection.SimpleQueue("jobs").queue
    producer = connection.Producer()
    with connection.Consumer([queue], callbacks=[take]):
        loop = hub.create_loop()
        for number, _ in enumerate(workload.turns()):
            producer.publish(number, routing_key="jobs", exchange=queue.exchange)
            eventually(partial(comes, number))
