"""Alerts: each occasion is told once, over processes and restarts, and deliveries are tried until they are accepted."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text, update
from tests.emulators.webhook_receiver import WebhookReceiver
from tests.services import an_admin, some_settings

from ccrouter.clock import utc_now
from ccrouter.embedded import EmbeddedServices
from ccrouter.ids import request_id_of, uuid7
from ccrouter.metering.record import CallRecord, Cost, encode_record
from ccrouter.services import Services
from ccrouter.storage import alerts, credentials, keys, logs, site_settings, webhooks
from ccrouter.storage.tables import api_keys, webhook_deliveries
from ccrouter.storage.tables import credentials as credentials_table
from ccrouter.storage.tables import users as users_table
from ccrouter.storage.tables import webhooks as webhooks_table
from ccrouter.storage.webhooks import RETRY_AFTER_S, Delivery, Webhook
from ccrouter.webhooks import new_secret
from ccrouter.worker.alerting import deliver, find_alerts

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
THRESHOLDS = [50, 80, 100]
ZERO = Decimal(0)


@pytest.fixture
def services(database_url: str, embedded: EmbeddedServices, tmp_path: Path) -> Iterator[Services]:
    """The parts of a process."""
    built = Services.build(some_settings(database_url, embedded.redis_url, tmp_path))
    yield built
    built.engine.dispose()


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    """Somebody who listens."""
    with WebhookReceiver(secret=new_secret()) as listening:
        yield listening
        assert [one.problems for one in listening.received if one.problems] == []


def a_webhook(services: Services, receiver: WebhookReceiver, *events: str) -> Webhook:
    """A webhook that leads to the receiver."""
    with services.engine.begin() as connection:
        return webhooks.create(
            connection, services.vault, receiver.secret, name="x", url=receiver.url, events=events or alerts.KINDS
        )


def a_key(engine: Engine, spend: dict[str, str], **fields: Any) -> Any:
    """A key with limits."""
    owner = an_admin(engine)
    return keys.create(engine, owner.id, f"sk-{uuid7()}", {"name": "laptop", "limits": {"spend": spend}, **fields})


def spend(engine: Engine, amount: str, at: datetime = NOON, **fields: Any) -> None:
    """A request that costs so much."""
    record_id = uuid7(at)
    cost = Cost(
        total=Decimal(amount), input=Decimal(amount), output=ZERO, cache_read=ZERO, cache_write=ZERO, other=ZERO,
        rates={}, currency="USD", price_version="v",
    )  # fmt: skip
    values: dict[str, Any] = {
        "id": record_id, "at": at, "kind": "messages", "request_id": request_id_of(record_id), "platform": "anthropic",
        "model": "m", "cost": cost, "cost_state": "priced",
    }  # fmt: skip
    logs.insert_many(engine, [encode_record(CallRecord(**(values | fields)))])


def found(engine: Engine, now: datetime = NOON, thresholds: list[int] = THRESHOLDS) -> list[tuple[Any, ...]]:
    """What there is to tell of budgets: of whom, window, threshold, what was spent."""
    return [
        (next(name for name in ("key", "user") if name in one.data), one.data["window"], one.data["threshold_percent"],
         one.data["spent_usd"])
        for one in alerts.occasions(engine, thresholds, now)
        if one.kind == "budget.reached"
    ]  # fmt: skip


def told(engine: Engine) -> list[str]:
    """Which occasions were told of."""
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT occasion FROM alerts ORDER BY id")).scalars())


def test_budgets_of_keys_and_owners_are_told_at_each_threshold(engine: Engine) -> None:
    """By window, of the limit of the key and that of its owner; a limit of nothing is nobody's news."""
    key = a_key(engine, {"day": "10.00", "month": "40", "total": "0"})
    other = a_key(engine, {"day": "1"}, enabled=False)
    with engine.begin() as connection:
        connection.execute(update(users_table).values(limits={"spend": {"week": "16"}}))
    for one in (key, other):
        spend(engine, "4.99", key_id=one.id, user_id=one.owner_id)
    spend(engine, "90", NOON - timedelta(days=40), key_id=key.id, user_id=key.owner_id)
    assert found(engine) == [("user", "week", 50, "9.98")]
    spend(engine, "3.01", key_id=key.id, user_id=key.owner_id)
    assert found(engine) == [
        ("key", "day", 50, "8"), ("key", "day", 80, "8"), ("user", "week", 50, "12.99"), ("user", "week", 80, "12.99"),
    ]  # fmt: skip
    assert found(engine, thresholds=[81]) == [("user", "week", 81, "12.99")]
    assert found(engine, NOON + timedelta(days=1)) == [("user", "week", 50, "12.99"), ("user", "week", 80, "12.99")]
    assert found(engine, NOON + timedelta(days=7)) == []


def test_an_occasion_is_told_once_by_however_many(services: Services, receiver: WebhookReceiver) -> None:
    """Once in each window; another window and another limit are other occasions."""
    engine = services.engine
    a_webhook(services, receiver)
    key = a_key(engine, {"day": "10"})
    spend(engine, "5", key_id=key.id)

    def look(now: datetime = NOON) -> int:
        return alerts.tell(engine, alerts.occasions(engine, THRESHOLDS, now), now)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(lambda _: look(), range(8))) == [0] * 7 + [1]
    assert look(NOON + timedelta(hours=1)) == 0
    spend(engine, "5", key_id=key.id)
    assert look() == 2
    tomorrow = NOON + timedelta(days=1)
    spend(engine, "5", tomorrow, key_id=key.id)
    assert look(tomorrow) == 1
    with engine.begin() as connection:
        connection.execute(update(api_keys).values(limits={"spend": {"day": "8"}}))
    assert look(tomorrow) == 1
    deliver(services)
    assert len({one.id for one in receiver.received}) == len(receiver.received) == 5
    assert [one.document["data"]["threshold_percent"] for one in receiver.received[:1]] == [50]
    deliver(services)
    assert len(receiver.received) == 5


def test_other_occasions_are_found(services: Services) -> None:
    """A blocked credential, a model without a price, a key that ends soon and was not made so."""
    engine = services.engine
    made = credentials.create(engine, services.vault, "anthropic", {"api_key": "k"}, {"name": "main"})
    with engine.begin() as connection:
        connection.execute(
            update(credentials_table).values(blocked_at=NOON, blocked_reason="suspended", blocked_until=None)
        )
    spend(engine, "1", cost=None, cost_state="unpriced", model="new")
    spend(engine, "1", cost=None, cost_state="unpriced", model="new")
    old = a_key(engine, {}, expires_at=NOON + timedelta(days=6))
    new = a_key(engine, {}, expires_at=NOON + timedelta(days=6))
    with engine.begin() as connection:
        for key, age in ((old, 30), (new, 0.5)):
            connection.execute(
                update(api_keys).where(api_keys.c.id == key.id).values(created_at=NOON - timedelta(days=age))
            )

    def look(now: datetime) -> list[dict[str, Any]]:
        return [one.data for one in alerts.occasions(engine, THRESHOLDS, now)]

    blocked, unpriced, expiring = look(NOON)
    assert (blocked["credential"], blocked["reason"], blocked["until"]) == (
        {"id": made.id, "name": "main", "platform": "anthropic"}, "suspended", None,
    )  # fmt: skip
    assert unpriced == {
        "platform": "anthropic", "model": "new", "since": "2026-11-23T12:00:00.000Z", "requests": 2,
    }  # fmt: skip
    assert (expiring["key"]["id"], expiring["within_days"]) == (old.id, 7)
    assert [one["within_days"] for one in look(NOON + timedelta(days=5.5)) if "key" in one] == [7, 1, 1]
    assert [one for one in look(NOON + timedelta(days=8)) if "key" in one or "model" in one] == []


def test_the_chores_tell_what_there_is(services: Services, receiver: WebhookReceiver) -> None:
    """By the thresholds of the settings; only those who want to know are told."""
    a_webhook(services, receiver, "budget.reached")
    a_webhook(services, receiver, "key.expiring")
    key = a_key(services.engine, {"total": "10"})
    with services.engine.begin() as connection:
        site_settings.change(connection, {"alerts": {"thresholds": [7]}})
    spend(services.engine, "0.7", utc_now(), key_id=key.id)
    spend(services.engine, "1", utc_now(), cost=None, cost_state="unpriced", model="new")
    for _ in range(2):
        find_alerts(services)
        deliver(services)
    assert len(told(services.engine)) == 2
    (one,) = receiver.received
    assert (one.document["type"], one.document["data"]) == (
        "budget.reached",
        {
            "key": {"id": key.id, "name": "laptop"}, "window": "total", "threshold_percent": 7, "limit_usd": "10",
            "spent_usd": "0.7", "begins_at": None, "resets_at": None,
        },
    )  # fmt: skip
    assert services.hurried("webhooks").is_set()


@pytest.fixture
def event(services: Services, receiver: WebhookReceiver) -> Webhook:
    """A webhook for which an event waits."""
    made = a_webhook(services, receiver)
    spend(services.engine, "1", utc_now(), cost=None, cost_state="unpriced", model="new")
    find_alerts(services)
    return made


def only(services: Services, webhook: Webhook) -> tuple[Delivery, Webhook]:
    """The delivery of a webhook, and the webhook as it is now."""
    (delivery,) = webhooks.deliveries(services.engine, webhook.id).items
    now = webhooks.get(services.engine, webhook.id)
    assert now is not None
    return delivery, now


def make_due(services: Services) -> None:
    """Lets the time pass until the next try."""
    with services.engine.begin() as connection:
        connection.execute(update(webhook_deliveries).values(next_at=utc_now() - timedelta(seconds=1)))


def test_a_failed_delivery_is_tried_again_later(services: Services, receiver: WebhookReceiver, event: Webhook) -> None:
    """With growing waits, at least as long as the receiver asks for, under the same id and with another timestamp."""
    receiver.answers = [(500, {}), (302, {"location": receiver.url}), (503, {"retry-after": "3600"})]
    waits = []
    for _ in range(3):
        make_due(services)
        deliver(services)
        delivery, webhook = only(services, event)
        assert (delivery.state, webhook.enabled, webhook.failing_since is not None) == ("waiting", True, True)
        assert delivery.next_at is not None
        waits.append((delivery.next_at - utc_now()).total_seconds())
    assert (delivery.status, delivery.tries, delivery.error) == (503, 3, None)
    assert delivery.response is not None
    assert delivery.response.startswith("answer 503 answer")
    assert len(delivery.response) == 1000
    assert [4 < waits[0] < 6, 265 < waits[1] < 335, 3590 < waits[2] < 3601] == [True] * 3
    deliver(services)
    assert len(receiver.received) == 3
    make_due(services)
    deliver(services)
    delivery, webhook = only(services, event)
    assert (delivery.state, delivery.status, delivery.tries, webhook.failing_since) == ("delivered", 200, 4, None)
    assert delivery.ended_at is not None
    assert len({one.id for one in receiver.received}) == 1
    assert len({str(one.document) for one in receiver.received}) == 1


def test_after_three_days_without_an_answer_a_webhook_is_disabled(
    services: Services, receiver: WebhookReceiver, event: Webhook
) -> None:
    """And says why; an administrator may let it begin anew."""
    with services.engine.begin() as connection:
        connection.execute(update(webhooks_table).values(url="http://127.0.0.1:1/"))
        connection.execute(update(webhook_deliveries).values(tries=len(RETRY_AFTER_S) - 1))
    deliver(services)
    delivery, webhook = only(services, event)
    assert (delivery.state, delivery.status, webhook.enabled) == ("waiting", None, True)
    assert delivery.error is not None
    with services.engine.begin() as connection:
        connection.execute(update(webhooks_table).values(failing_since=utc_now() - timedelta(days=3)))
    make_due(services)
    deliver(services)
    delivery, webhook = only(services, event)
    assert (delivery.state, delivery.tries, webhook.enabled) == ("failed", len(RETRY_AFTER_S) + 1, False)
    assert webhook.disabled_reason == "Its address has accepted nothing for three days."
    with services.engine.begin() as connection:
        webhooks.change(connection, event.id, {"enabled": True})
    _, webhook = only(services, event)
    assert (webhook.enabled, webhook.disabled_reason, webhook.failing_since) == (True, None, None)


def test_who_answers_that_it_is_gone_is_told_no_more(
    services: Services, receiver: WebhookReceiver, event: Webhook
) -> None:
    """410, at the first try."""
    receiver.answers = [(410, {})]
    deliver(services)
    delivery, webhook = only(services, event)
    assert (delivery.state, delivery.status, webhook.enabled) == ("failed", 410, False)
    assert webhook.disabled_reason is not None
    spend(services.engine, "1", utc_now(), cost=None, cost_state="unpriced", model="newer")
    find_alerts(services)
    assert len(webhooks.deliveries(services.engine, event.id).items) == 1


def test_an_address_that_leads_inside_is_not_called(
    services: Services, receiver: WebhookReceiver, event: Webhook, tmp_path: Path
) -> None:
    """Whatever its name leads to is checked when it is called, as with platforms."""
    closed = Services.build(
        some_settings(
            services.settings.database_url or "", services.settings.redis_url or "", tmp_path, private_upstreams=()
        )
    )
    with services.engine.begin() as connection:
        connection.execute(update(webhooks_table).values(url=receiver.url.replace("127.0.0.1", "localhost")))
    deliver(closed)
    closed.engine.dispose()
    delivery, _ = only(services, event)
    assert receiver.received == []
    assert delivery.error is not None
    assert "private network" in delivery.error


def test_a_process_that_dies_over_a_delivery_leaves_it_to_the_next(
    services: Services, receiver: WebhookReceiver, event: Webhook
) -> None:
    """When its lease has ended; until then nobody sends it twice."""
    (due,) = webhooks.claim(services.engine, services.vault)
    assert due.tries == 1
    assert webhooks.claim(services.engine, services.vault) == []
    make_due(services)
    deliver(services)
    assert only(services, event)[0].tries == 2
    assert [one.id for one in receiver.received] == [f"msg_{due.event_id.hex}"]


def test_deliveries_are_forgotten_after_a_while(services: Services, receiver: WebhookReceiver, event: Webhook) -> None:
    """What waits is not; that the occasion was told of stays known."""
    assert webhooks.drop_ended(services.engine, utc_now() + timedelta(days=1)) == 0
    deliver(services)
    assert webhooks.drop_ended(services.engine, utc_now() + timedelta(days=1)) == 1
    find_alerts(services)
    deliver(services)
    assert len(receiver.received) == len(told(services.engine)) == 1
