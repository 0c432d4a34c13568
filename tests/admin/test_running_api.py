"""Requests under way in the log's lists: first, as what they are, and only to those whose they are."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from tests.admin.site import Site

from ccrouter.clock import utc_now
from ccrouter.ids import request_id_of, uuid7
from ccrouter.metering.record import CallRecord, encode_record
from ccrouter.storage import logs
from ccrouter.storage.redis import async_redis
from ccrouter.storage.running import Running
from ccrouter.storage.users import User

LOGS = "/api/v1/logs"


@contextmanager
def running(site: Site, *records: CallRecord) -> Iterator[None]:
    """They run in another process."""
    url = site.router.services.settings.redis_url or ""

    async def begin() -> Running:
        redis = async_redis(url)
        process = Running(redis, None)
        await process.start()
        for record in records:
            await process.begin(record)
        await process.close()
        await redis.aclose()
        return process

    async def end(process: Running) -> None:
        redis = async_redis(url)
        ending = Running(redis, None)
        await ending.forget(process.process)
        await redis.aclose()

    process = asyncio.run(begin())
    yield
    asyncio.run(end(process))


@pytest.fixture
def records(member: User) -> list[CallRecord]:
    """Two requests: a member's and somebody else's."""

    def make(**fields: Any) -> CallRecord:
        at = utc_now()
        record_id = uuid7(at)
        values: dict[str, Any] = {
            "id": record_id, "at": at, "kind": "messages", "request_id": request_id_of(record_id), "stream": True,
        }  # fmt: skip
        return CallRecord(**(values | fields))

    mine = make(
        user_id=member.id, user_login=member.login, session_id=f"s-{uuid7().hex}", platform="anthropic", model="m"
    )
    return [mine, make(user_id=str(uuid7()), session_id=mine.session_id)]


def ids(api: httpx2.Client, **parameters: Any) -> list[str]:
    """The ids of a list."""
    answer = api.get(LOGS, params=parameters)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_what_runs_stands_before_the_rows(
    site: Site, api: httpx2.Client, member_api: httpx2.Client, records: list[CallRecord]
) -> None:
    """With the filters in force; by its id too; a member sees the own ones only."""
    mine, others = (str(record.id) for record in records)
    session = records[0].session_id
    with running(site, *records):
        assert sorted(ids(api, session_id=session)) == sorted([mine, others])
        assert ids(member_api, session_id=session) == [mine]
        assert ids(api, session_id=session, platform="anthropic", status="running") == [mine]
        assert ids(api, session_id=session, status="ok") == []
        assert ids(api, session_id=session, min_duration_ms=10**9) == []
        assert ids(api, session_id=session, q="m") == []
        shown = member_api.get(f"{LOGS}/{mine}").json()
        assert (shown["status"], shown["usage"], shown["http_status"]) == ("running", None, None)
        assert member_api.get(f"{LOGS}/{others}").status_code == 404
    assert ids(api, session_id=session) == []


def test_what_has_its_row_runs_no_longer(site: Site, api: httpx2.Client, records: list[CallRecord]) -> None:
    """Although Redis has not been told yet; the part of the list is as long as asked for."""
    session = records[0].session_id
    logs.insert_many(site.router.services.engine, [encode_record(records[0])])
    with running(site, *records):
        first = api.get(LOGS, params={"session_id": session, "limit": 2}).json()["items"]
    assert [(item["id"], item["status"]) for item in first] == [
        (str(records[1].id), "running"),
        (str(records[0].id), "ok"),
    ]
