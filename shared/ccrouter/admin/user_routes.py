"""People, for administrators."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from ccrouter.admin.audit_routes import note
from ccrouter.admin.checks import stored_limits
from ccrouter.admin.deletion import Deleted, purge, restore
from ccrouter.admin.editing import Cursor, IfMatch, Limit, bad_cursor, changed_meanwhile, check_version, etag, not_found
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.problems import Problem, invalid
from ccrouter.admin.schemas import Page
from ccrouter.admin.sign_in import SignIn
from ccrouter.admin.user_schemas import Role, Status, UserChanges, UserInput, UserView
from ccrouter.admin.user_views import audited, user_view, user_views
from ccrouter.storage import sessions, site_settings, tombstones, users
from ccrouter.storage.site_settings import MemberRules
from ccrouter.storage.users import User, UserFilters


def user_routes(needs: Needs, sign_in: SignIn) -> APIRouter:
    """The routes under `/users`."""
    routes = APIRouter(prefix="/users", tags=["users"])

    @routes.get("", operation_id="listUsers", summary="List users")
    def list_users(
        role: Annotated[Role | None, Query(description="Those with this role")] = None,
        status: Annotated[Status | None, Query(description="`pending` is the queue of those who wait")] = None,
        q: Annotated[str | None, Query(max_length=200, description="Part of a login, name or mail address")] = None,
        deleted: Deleted = False,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[UserView]:
        """Users, newest first, with the number of their keys and their cost of this month."""
        filters = UserFilters(role=role, status=status, q=q, deleted=deleted)
        try:
            page = users.find(needs.engine, filters, cursor=cursor, limit=limit)
        except ValueError as error:
            raise bad_cursor(error) from None
        return Page(items=user_views(needs.engine, page.items), next_cursor=page.next_cursor)

    @routes.post("", operation_id="createUser", summary="Make a user", status_code=201)
    def create_user(body: UserInput, request: Request, response: Response) -> UserView:
        """Make a user who signs in with a password, or owns keys without signing in.

        Whoever signs in with GitHub becomes a user by that, within what the settings allow.
        """
        fields = _fields(body)
        if body.role != ADMIN and body.limits is None:
            fields["limits"] = site_settings.read_topic(needs.engine, MemberRules).limits
        try:
            with needs.engine.begin() as connection:
                user = users.create(connection, **fields)
                note(connection, request, "user.create", user.id, after=audited(user))
        except IntegrityError:
            raise invalid("login", "is taken, perhaps by a deleted user", code="taken") from None
        response.headers["Location"] = f"/api/v1/users/{user.id}"
        return _shown(user, response)

    @routes.get("/{user_id}", operation_id="getUser", summary="Read a user")
    def get_user(user_id: str, response: Response) -> UserView:
        """One user, also a deleted one."""
        user = users.by_id(needs.engine, user_id)
        if user is None:
            raise not_found("user")
        return _shown(user, response)

    @routes.patch("/{user_id}", operation_id="changeUser", summary="Change a user")
    def change_user(
        user_id: str, body: UserChanges, request: Request, response: Response, if_match: IfMatch = None
    ) -> UserView:
        """Change role, status, limits, name, mail or password; approve a pending user by `status` active.

        Disabling ends the user's sessions at once and stops the keys everywhere within 5 seconds. The last active
        administrator can be neither disabled nor made a member (409).
        """
        fields = _fields(body)
        if "password_hash" in fields:
            _may_set_password(user_id)
        with needs.engine.begin() as connection:
            before = _existing(connection, user_id)
            version = check_version(if_match, before.updated_at)
            leaves = fields.get("role", before.role) != ADMIN or fields.get("status", before.status) != "active"
            if leaves or fields.get("password_hash", "") is None:
                _keep_an_administrator(connection, before)
            after = users.change(connection, before.id, fields, if_updated_at=version)
            if after is None:
                raise changed_meanwhile()
            if "password_hash" in fields or not after.may_sign_in:
                sessions.revoke_all(connection, before.id)
            secret = {"password": "former"}, {"password": "new"}
            was, became = secret if "password_hash" in fields else ({}, {})
            note(
                connection,
                request,
                "user.change",
                before.id,
                before=audited(before) | was,
                after=audited(after) | became,
            )
        _forget_keys(user_id)
        return _shown(after, response)

    @routes.delete("/{user_id}", operation_id="deleteUser", summary="Delete a user", status_code=204)
    def delete_user(
        user_id: str,
        request: Request,
        if_match: IfMatch = None,
        transfer_keys_to: Annotated[
            str | None, Query(max_length=100, description="The user who gets the keys; without one they stop")
        ] = None,
    ) -> None:
        """Delete a user: sessions end at once, and the keys stop unless another user gets them.

        For 30 days the user can be restored, with the keys that were not given away. The request log keeps all rows.
        """
        with needs.engine.begin() as connection:
            user = _existing(connection, user_id)
            version = check_version(if_match, user.updated_at)
            _keep_an_administrator(connection, user)
            digests = users.keys_of(connection, user.id)
            if transfer_keys_to is not None:
                heir = users.by_id(connection, transfer_keys_to)
                if heir is None or heir.deleted_at is not None or heir.id == user.id:
                    raise invalid("transfer_keys_to", "there is no such other user")
                users.transfer_keys(connection, user.id, heir.id)
            if not tombstones.soft_delete(connection, tombstones.USERS, user.id, if_updated_at=version):
                raise changed_meanwhile()
            sessions.revoke_all(connection, user.id)
            after = {"keys_transferred_to": transfer_keys_to} if transfer_keys_to is not None else None
            note(connection, request, "user.delete", user.id, before=audited(user), after=after)
        for digest in digests:
            needs.forget_key(digest)

    @routes.post("/{user_id}/restore", operation_id="restoreUser", summary="Restore a deleted user")
    def restore_user(user_id: str, request: Request, response: Response) -> UserView:
        """Bring a deleted user back as before, with the keys. 410 once the user has been purged."""
        restore(needs, request, tombstones.USERS, user_id)
        _forget_keys(user_id)
        return get_user(user_id, response)

    @routes.post("/{user_id}/purge", operation_id="purgeUser", summary="Purge a deleted user", status_code=204)
    def purge_user(user_id: str, request: Request) -> None:
        """End a deleted user and all keys of that user for good, as happens by itself after 30 days.

        The request log keeps its rows, with the login they were made under.
        """
        purge(needs, request, tombstones.USERS, user_id)

    @routes.post(
        "/{user_id}/sign-out", operation_id="signOutUser", summary="Sign a user out everywhere", status_code=204
    )
    def sign_out_user(user_id: str, request: Request) -> None:
        """End all sessions of a user, the one of this call included where it is one of them.

        Members may do it for themselves. API keys go on.
        """
        if request.state.user.role != ADMIN and request.state.user.id != user_id:
            raise not_found("user")
        with needs.engine.begin() as connection:
            user = _existing(connection, user_id)
            ended = sessions.revoke_all(connection, user.id)
            note(connection, request, "user.sign_out", user.id, after={"sessions_ended": ended})

    def _shown(user: User, response: Response) -> UserView:
        response.headers["ETag"] = etag(user.updated_at)
        return user_view(needs.engine, user)

    def _forget_keys(user_id: str) -> None:
        for digest in users.keys_of(needs.engine, user_id):
            needs.forget_key(digest)

    def _may_set_password(user_id: str) -> None:
        user = users.by_id(needs.engine, user_id)
        if user is not None and user.login == "admin" and needs.settings.admin_password is not None:
            raise invalid("password", "is set by ADMIN_PASSWORD at every start; change it there")

    def _fields(body: UserChanges) -> dict[str, Any]:
        """The columns that a body sets, checked. Raises Problem 422."""
        fields = body.model_dump(exclude_unset=not isinstance(body, UserInput))
        if "limits" in fields:
            fields["limits"] = stored_limits(fields["limits"])
        if "password" in fields:
            password = fields.pop("password")
            fields["password_hash"] = None if password is None else sign_in.hash_password(password)
        return fields

    return routes


def _existing(connection: Connection, user_id: str) -> User:
    user = users.by_id(connection, user_id)
    if user is None or user.deleted_at is not None:
        raise not_found("user")
    return user


def _keep_an_administrator(connection: Connection, user: User) -> None:
    if users.is_last_admin(connection, user.id):
        raise Problem(
            409,
            f"«{user.login}» is the last active administrator: make another one first.",
            code="last_administrator",
        )
