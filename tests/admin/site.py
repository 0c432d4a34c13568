"""The admin API as people use it: on a real router, each caller at an address of its own."""

import itertools
from dataclasses import dataclass
from typing import Any

import httpx2
from argon2 import PasswordHasher
from sqlalchemy import text
from tests.services import PASSWORD, RunningRouter

from ccrouter.ids import uuid7
from ccrouter.storage import users
from ccrouter.storage.users import User

_ADDRESSES = itertools.count(1)


def an_address() -> str:
    """An address that nobody has called from yet: failed sign-ins are counted by address."""
    number = next(_ADDRESSES)
    return f"203.0.{number // 250}.{number % 250 + 1}"


@dataclass
class Site:
    """The admin door of a running router that believes x-forwarded-for."""

    router: RunningRouter

    def visitor(self, **headers: str) -> httpx2.Client:
        """Somebody who is not signed in."""
        return self.router.client(**({"x-forwarded-for": an_address()} | headers))

    def sign_in(self, login: str = "admin", password: str = PASSWORD) -> dict[str, Any]:
        """The answer to a sign-in."""
        with self.visitor() as client:
            answer = client.post("/api/v1/auth/login", json={"username": login, "password": password})
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def client_of(self, login: str) -> httpx2.Client:
        """A client of somebody who has signed in, by bearer token."""
        return self.visitor(authorization=f"Bearer {self.sign_in(login)['access_token']}")

    def leave_one_administrator(self) -> None:
        """Makes members of the administrators that other tests have left behind, so that `admin` is the last."""
        with self.router.services.engine.begin() as connection:
            connection.execute(text("UPDATE users SET role = 'member' WHERE role = 'admin' AND login <> 'admin'"))

    def new_user(self, **fields: Any) -> User:
        """A user with PASSWORD, a member unless the fields say otherwise."""
        engine = self.router.services.engine
        user = users.create(engine, f"user-{uuid7().hex[-12:]}", **fields)
        users.set_password_hash(
            engine, user.id, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
        )
        return user


def assert_problem(answer: httpx2.Response, status: int, code: str, *fields: str) -> dict[str, Any]:
    """Checks an error's form (RFC 9457 with `code`, `request_id`, `errors`) and which members it names."""
    assert status == answer.status_code, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert set(document) == {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert (status, code, list(fields)) == (
        document["status"], document["code"], [error["field"] for error in document["errors"]],
    )  # fmt: skip
    assert document["detail"]
    assert document["request_id"].startswith("req_")
    assert all(set(error) == {"field", "code", "message"} and error["message"] for error in document["errors"])
    return document
