"""Webhooks: who is told of budgets, credentials and prices, and how that went."""

import asyncio
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from ccrouter.admin.audit_routes import note
from ccrouter.admin.editing import Cursor, IfMatch, Limit, bad_cursor, changed_meanwhile, check_version, etag, not_found
from ccrouter.admin.needs import Needs
from ccrouter.admin.problems import Problem, invalid
from ccrouter.admin.schemas import Page
from ccrouter.admin.webhook_schemas import DeliveryView, NewWebhookView, WebhookChanges, WebhookInput, WebhookView
from ccrouter.clock import utc_now
from ccrouter.config import Settings
from ccrouter.ids import uuid7
from ccrouter.networks import check_url
from ccrouter.storage import webhooks
from ccrouter.storage.alerts import TEST
from ccrouter.storage.webhooks import Delivery, Webhook
from ccrouter.webhooks import new_secret

MOST_WEBHOOKS = 50


def webhook_routes(needs: Needs) -> APIRouter:
    """The routes under `/webhooks`."""
    routes = APIRouter(prefix="/webhooks", tags=["webhooks"])

    @routes.get("", operation_id="listWebhooks", summary="List webhooks")
    def list_webhooks(cursor: Cursor = None, limit: Limit = 50) -> Page[WebhookView]:
        """All webhooks, newest first."""
        try:
            page = webhooks.find(needs.engine, cursor=cursor, limit=limit)
        except ValueError as error:
            raise bad_cursor(error) from None
        return Page(items=[_view(item) for item in page.items], next_cursor=page.next_cursor)

    @routes.post("", operation_id="createWebhook", summary="Add a webhook", status_code=201)
    def create_webhook(body: WebhookInput, request: Request, response: Response) -> NewWebhookView:
        """Has an address told of events. The answer holds the secret that signs them, this once."""
        url, secret = checked_url(needs.settings, body.url), new_secret()
        with needs.engine.begin() as connection:
            if webhooks.count(connection) >= MOST_WEBHOOKS:
                raise Problem(409, f"There are {MOST_WEBHOOKS} webhooks already; delete one first.", code="too_many")
            made = webhooks.create(
                connection, needs.vault, secret, name=body.name, url=url, events=list(dict.fromkeys(body.events))
            )
            note(connection, request, "webhook.create", made.id, after=_audited(made))
        response.headers["Location"] = f"/api/v1/webhooks/{made.id}"
        response.headers["ETag"] = etag(made.updated_at)
        return NewWebhookView(**_view(made).model_dump(), secret=secret)

    @routes.get("/{webhook_id}", operation_id="getWebhook", summary="Read a webhook")
    def get_webhook(webhook_id: str, response: Response) -> WebhookView:
        """One webhook; its secret is not shown again."""
        found = _existing(webhook_id)
        response.headers["ETag"] = etag(found.updated_at)
        return _view(found)

    @routes.patch("/{webhook_id}", operation_id="changeWebhook", summary="Change a webhook")
    def change_webhook(
        webhook_id: str, body: WebhookChanges, request: Request, response: Response, if_match: IfMatch = None
    ) -> WebhookView:
        """Change where it leads, what it is told of, or whether it is."""
        fields: dict[str, Any] = body.model_dump(exclude_unset=True)
        if "url" in fields:
            fields["url"] = checked_url(needs.settings, fields["url"])
        if "events" in fields:
            fields["events"] = list(dict.fromkeys(fields["events"]))
        with needs.engine.begin() as connection:
            before = _existing(webhook_id, connection)
            if not webhooks.change(
                connection, webhook_id, fields, if_updated_at=check_version(if_match, before.updated_at)
            ):
                raise changed_meanwhile()
            after = _existing(webhook_id, connection)
            note(connection, request, "webhook.change", after.id, before=_audited(before), after=_audited(after))
        response.headers["ETag"] = etag(after.updated_at)
        return _view(after)

    @routes.delete("/{webhook_id}", operation_id="deleteWebhook", summary="Delete a webhook", status_code=204)
    def delete_webhook(webhook_id: str, request: Request, if_match: IfMatch = None) -> None:
        """Ends it at once, with its log of deliveries; this cannot be taken back."""
        with needs.engine.begin() as connection:
            before = _existing(webhook_id, connection)
            if not webhooks.remove(connection, webhook_id, if_updated_at=check_version(if_match, before.updated_at)):
                raise changed_meanwhile()
            note(connection, request, "webhook.delete", before.id, before=_audited(before))

    @routes.post("/{webhook_id}/test", operation_id="testWebhook", summary="Send a test event")
    def test_webhook(webhook_id: str, request: Request) -> DeliveryView:
        """Sends `webhook.test` at once, also to a disabled webhook, and tells how it went; it is not repeated."""
        found, now, event_id = _existing(webhook_id), utc_now(), uuid7()
        body = webhooks.body_of(TEST, now, {"webhook": {"id": found.id, "name": found.name}})
        secret = webhooks.secret_of(needs.engine, needs.vault, found.id)
        (outcome,) = asyncio.run(needs.send_events([(found.url, secret, event_id, body)]))
        with needs.engine.begin() as connection:
            _existing(webhook_id, connection)
            delivery = webhooks.note_test(connection, found.id, event_id, TEST, body, outcome)
            note(
                connection,
                request,
                "webhook.test",
                found.id,
                after={"status": outcome.status, "error": outcome.error, "delivered": outcome.delivered},
            )
        return _delivery(delivery)

    @routes.get("/{webhook_id}/deliveries", operation_id="listDeliveries", summary="List what was sent to a webhook")
    def list_deliveries(webhook_id: str, cursor: Cursor = None, limit: Limit = 50) -> Page[DeliveryView]:
        """Events that were sent, wait to be, or were given up, newest first; kept for 30 days."""
        found = _existing(webhook_id)
        try:
            page = webhooks.deliveries(needs.engine, found.id, cursor=cursor, limit=limit)
        except ValueError as error:
            raise bad_cursor(error) from None
        return Page(items=[_delivery(item) for item in page.items], next_cursor=page.next_cursor)

    def _existing(webhook_id: str, connection: Connection | None = None) -> Webhook:
        found = webhooks.get(connection or needs.engine, webhook_id)
        if found is None:
            raise not_found("webhook")
        return found

    return routes


def checked_url(settings: Settings, url: str) -> str:
    """The address as it is stored. Raises Problem 422."""
    try:
        return check_url(url, settings.private_upstreams, "https://hooks.example.com/router")
    except ValueError as error:
        raise invalid("url", str(error)) from None


def _view(found: Webhook) -> WebhookView:
    return WebhookView.model_validate(msgspec.structs.asdict(found))


def _audited(found: Webhook) -> dict[str, Any]:
    return {name: getattr(found, name) for name in ("name", "url", "events", "enabled")}


def _delivery(found: Delivery) -> DeliveryView:
    values = msgspec.structs.asdict(found)
    event_id, kind, body = values.pop("event_id"), values.pop("kind"), values.pop("body")
    return DeliveryView(
        **values, event_id=f"msg_{event_id.replace('-', '')}", type=kind, payload=msgspec.json.decode(body)
    )
