"""Webhooks over the admin API: a secret shown once, addresses that are checked, tests and the log of deliveries."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from tests.admin.site import Site, assert_problem
from tests.emulators.webhook_receiver import WebhookReceiver

from ccrouter.ids import uuid7

WEBHOOKS = "/api/v1/webhooks"


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    """Somebody who listens."""
    with WebhookReceiver() as listening:
        yield listening
        assert [one.problems for one in listening.received if one.problems] == []


@pytest.fixture
def webhook(api: httpx2.Client, receiver: WebhookReceiver) -> Iterator[dict[str, Any]]:
    """A webhook that leads there."""
    answer = api.post(WEBHOOKS, json={"name": "On call", "url": receiver.url})
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    receiver.secret = document["secret"]
    yield document
    api.delete(answer.headers["location"])


def test_a_secret_is_shown_once(site: Site, api: httpx2.Client, webhook: dict[str, Any]) -> None:
    """And is nowhere to be read afterwards, in the database neither."""
    url = f"{WEBHOOKS}/{webhook['id']}"
    answer = api.get(url)
    assert answer.json() == {name: value for name, value in webhook.items() if name != "secret"}
    assert webhook["secret"].startswith("whsec_")
    for path in (url, WEBHOOKS, f"/api/v1/audit?object_id={webhook['id']}"):
        assert webhook["secret"][6:] not in api.get(path).text
    with site.router.services.engine.connect() as connection:
        (row,) = connection.exec_driver_sql(f"SELECT w.* FROM webhooks w WHERE id = '{webhook['id']}'").all()
    assert webhook["secret"].encode() not in bytes(row.secret_sealed)
    assert webhook["events"] == ["budget.reached", "credential.blocked", "model.unpriced", "key.expiring"]


def test_a_test_is_sent_and_told_of(api: httpx2.Client, receiver: WebhookReceiver, webhook: dict[str, Any]) -> None:
    """Signed, with what was answered; it stands in the log of deliveries and is not repeated."""
    receiver.answers = [(500, {})]
    failed = api.post(f"{WEBHOOKS}/{webhook['id']}/test").json()
    assert (failed["state"], failed["status"], failed["tries"], failed["next_at"]) == ("failed", 500, 1, None)
    good = api.post(f"{WEBHOOKS}/{webhook['id']}/test").json()
    assert (good["state"], good["status"], good["response"][:10]) == ("delivered", 200, "answer 200")
    assert [one.id for one in receiver.received] == [failed["event_id"], good["event_id"]]
    assert receiver.received[1].document == good["payload"]
    assert (good["type"], good["payload"]["data"]) == (
        "webhook.test", {"webhook": {"id": webhook["id"], "name": "On call"}},
    )  # fmt: skip
    url = f"{WEBHOOKS}/{webhook['id']}/deliveries"
    first = api.get(url, params={"limit": 1}).json()
    last = api.get(url, params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert (first["items"] + last["items"], last["next_cursor"]) == ([good, failed], None)


def test_a_webhook_is_changed_and_deleted(api: httpx2.Client, webhook: dict[str, Any]) -> None:
    """With an ETag against edits that one has not seen; its entries tell what was changed."""
    url = f"{WEBHOOKS}/{webhook['id']}"
    tag = api.get(url).headers["etag"]
    answer = api.patch(url, json={"enabled": False, "events": ["key.expiring"]}, headers={"If-Match": tag})
    assert (answer.json()["enabled"], answer.json()["events"]) == (False, ["key.expiring"])
    assert_problem(api.patch(url, json={"name": "x"}, headers={"If-Match": tag}), 412, "changed_meanwhile")
    assert_problem(api.delete(url, headers={"If-Match": tag}), 412, "changed_meanwhile")
    assert api.delete(url, headers={"If-Match": answer.headers["etag"]}).status_code == 204
    entries = api.get("/api/v1/audit", params={"object_id": webhook["id"]}).json()["items"]
    assert [(entry["action"], entry["before"], entry["after"]) for entry in entries[:2]] == [
        ("webhook.delete", entries[0]["before"], None),
        ("webhook.change", {"enabled": True, "events": webhook["events"]},
         {"enabled": False, "events": ["key.expiring"]}),
    ]  # fmt: skip
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/deliveries")):
        assert_problem(api.request(method, url + path, json={} if method == "PATCH" else None), 404, "not_found")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "ftp://example.com"}, "url"),
        ({"url": "https://user:secret@example.com/"}, "url"),
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"url": "http://169.254.169.254/latest/meta-data"}, "url"),
        ({"url": "http://[::1]/"}, "url"),
        ({"url": "http://2130706433/"}, "url"),
        ({"url": "https://example.com/a b"}, "url"),
        ({"url": "https://example.com/#x"}, "url"),
        ({"name": " "}, "name"),
        ({"events": []}, "events"),
        ({"events": ["budget.missed"]}, "events[0]"),
        ({"secret": "mine"}, "secret"),
    ],
    ids=str,
)
def test_what_cannot_be_is_named(
    api: httpx2.Client, webhook: dict[str, Any], changes: dict[str, Any], field: str
) -> None:
    """When it is made, and when it is changed."""
    body = {"name": "x", "url": "https://hooks.example.com/"}
    assert_problem(api.post(WEBHOOKS, json=body | changes), 422, "invalid", field)
    assert_problem(api.patch(f"{WEBHOOKS}/{webhook['id']}", json=changes), 422, "invalid", field)


def test_members_have_none(member_api: httpx2.Client, webhook: dict[str, Any]) -> None:
    """Whether it is there or not."""
    for webhook_id in (webhook["id"], uuid7()):
        assert_problem(member_api.get(f"{WEBHOOKS}/{webhook_id}"), 403, "forbidden")
    assert_problem(member_api.get(WEBHOOKS), 403, "forbidden")
