"""Conversations."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request

from ccrouter.admin.editing import Cursor, Limit, bad_cursor, not_found
from ccrouter.admin.log_filters import Filters
from ccrouter.admin.log_schemas import AgentView, SessionTreeView, SessionView, StretchView
from ccrouter.admin.log_views import named, sums_view
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.schemas import Page, UserRef
from ccrouter.storage import log_sessions
from ccrouter.storage.log_sessions import Agent, Session, Stretch


def session_routes(needs: Needs) -> APIRouter:
    """The routes under `/sessions`."""
    routes = APIRouter(prefix="/sessions", tags=["logs"])

    @routes.get("", operation_id="listSessions", summary="List conversations")
    def list_sessions(filters: Filters, cursor: Cursor = None, limit: Limit = 50) -> Page[SessionView]:
        """Conversations that have a request which the filters leave, by the newest such request; each with the sums of
        all its requests. A member's own."""
        try:
            page = log_sessions.find(needs.engine, filters, cursor=cursor, limit=limit)
        except ValueError as error:
            raise bad_cursor(error) from None
        return Page(items=[_session_view(session) for session in page.items], next_cursor=page.next_cursor)

    # An id may hold anything, since clients choose it.
    @routes.get("/{session_id:path}", operation_id="getSession", summary="Show a conversation")
    def get_session(session_id: str, request: Request) -> SessionTreeView:
        """A conversation with its sub-agents as a tree. Members see the part that their own keys asked for."""
        user = request.state.user
        found = log_sessions.get(needs.engine, session_id, () if user.role == ADMIN else (user.id,))
        if found is None:
            raise not_found("session")
        session, main = found
        return SessionTreeView(
            **_session_view(session).model_dump(),
            main=None if main.own is None else StretchView(**_stretch_members(main.own)),
            children=_agent_views(main.children),
        )

    return routes


def _session_view(session: Session) -> SessionView:
    return SessionView(
        id=session.id,
        key=named(session.key_id, session.key_name),
        user=None if session.user_id is None else UserRef(id=session.user_id, login=session.user_login or ""),
        client=session.client,
        agents=session.agents,
        **_stretch_members(session.whole),
    )


def _agent_views(agents: Sequence[Agent]) -> list[AgentView]:
    return [
        AgentView(id=agent.id, children=_agent_views(agent.children), **_stretch_members(agent.own))
        for agent in agents
        if agent.id is not None and agent.own is not None
    ]


def _stretch_members(stretch: Stretch) -> dict[str, Any]:
    return {
        "first_at": stretch.first_at,
        "last_at": stretch.last_at,
        "duration_ms": round((stretch.last_at - stretch.first_at).total_seconds() * 1000),
        "models": stretch.models,
        "platforms": stretch.platforms,
        "sums": sums_view(stretch.sums),
    }
