"""Chores: finding what people should hear of, and sending it to their webhooks."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from ccrouter.clock import utc_now

if TYPE_CHECKING:
    from ccrouter.services import Services

DELIVERIES = "webhooks"
"""The name of the chore that sends."""
_KEPT = timedelta(days=30)


def find_alerts(services: "Services") -> None:
    """Looks for occasions, and has new ones sent at once."""
    from ccrouter.storage import alerts, site_settings

    now = utc_now()
    thresholds = site_settings.read_topic(services.engine, site_settings.Alerts).thresholds
    if alerts.tell(services.engine, alerts.occasions(services.engine, thresholds, now), now):
        services.hurry(DELIVERIES)


def deliver(services: "Services") -> None:
    """Sends what is due, until nothing is."""
    from ccrouter.storage import webhooks

    while not services.stopping.is_set():
        due = webhooks.claim(services.engine, services.vault)
        if not due:
            return
        outcomes = asyncio.run(
            services.send_events([(item.url, item.secret, item.event_id, item.body) for item in due])
        )
        for item, outcome in zip(due, outcomes, strict=True):
            webhooks.settle(services.engine, item, outcome)


def forget_deliveries(services: "Services") -> None:
    """Forgets what was delivered, or not, long ago."""
    from ccrouter.storage import webhooks

    webhooks.drop_ended(services.engine, utc_now() - _KEPT)
