"""Prices: versions of the list's and of one's own."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from ccrouter.admin.audit_routes import note
from ccrouter.admin.editing import IfMatch, changed_meanwhile, not_found
from ccrouter.admin.job_routes import view_of
from ccrouter.admin.job_schemas import JobView
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.price_schemas import (
    MatchView,
    PricesInput,
    PricesView,
    SyncInput,
    SyncView,
    change_view,
    price_view,
    version_view,
)
from ccrouter.admin.problems import invalid
from ccrouter.admin.rerate_schemas import RerateInput, RerateView
from ccrouter.admin.schemas import AwareMoment
from ccrouter.clock import utc_now
from ccrouter.dialects.openai.vendors import vendors
from ccrouter.metering.price_changes import list_changes
from ccrouter.metering.prices import PriceRow, PriceTable
from ccrouter.platforms.registry import is_platform
from ccrouter.storage import jobs, prices, rerating
from ccrouter.storage.prices import PriceVersion, StaleVersion
from ccrouter.storage.rerating import RerateFilters

_VERSIONS = 100
_MOST_AT_ONCE = 10_000
"""So many requests are priced anew in less than two seconds."""


def price_routes(needs: Needs) -> APIRouter:
    """The routes under `/prices`."""
    routes = APIRouter(prefix="/prices", tags=["prices"])

    @routes.get("", operation_id="getPrices", summary="Read the prices")
    def get_prices(
        request: Request,
        response: Response,
        version: Annotated[
            str | None, Query(max_length=300, description="An older version than the one in force")
        ] = None,
        platform: Annotated[str | None, Query(max_length=100, description="Only prices of this platform")] = None,
    ) -> PricesView:
        """The prices in force, or those of an earlier version, with where they are from.

        Its ETag guards `PUT` against overwriting what somebody else has changed.
        """
        with needs.engine.connect() as connection:
            found = prices.current(connection) if version is None else prices.get(connection, version)
            if found is None:
                raise not_found("version of the prices")
            table = prices.load_current(connection) if version is None else prices.load(connection, version)
        response.headers["ETag"] = _etag(found.id)
        view = _view(found, table, platform)
        return view if request.state.user.role == ADMIN else _for_members(view)

    @routes.put("", operation_id="putPrices", summary="Set the own prices")
    def put_prices(body: PricesInput, request: Request, response: Response, if_match: IfMatch = None) -> PricesView:
        """Replaces all own prices by a new version; in force within five seconds, for requests from then on.

        What was billed stays as it is: `POST /prices/rerate` computes it anew, with prices that were valid then.
        """
        own = tuple(checked_row(item.row(), f"own[{index}]") for index, item in enumerate(body.own))
        user = request.state.user
        with needs.engine.begin() as connection:
            before = prices.current(connection)
            if if_match is not None and if_match.strip() != "*" and _etag(before.id) not in _tags(if_match):
                raise changed_meanwhile()
            was = prices.load_current(connection).own
            try:
                version = prices.put_own(
                    connection, own, user.login, body.note, if_version=None if if_match is None else before.id
                )
            except StaleVersion:
                raise changed_meanwhile() from None
            note(
                connection,
                request,
                "prices.change",
                version.id,
                before={"version": before.id, "own": _plain(was)},
                after={"version": version.id, "own": _plain(own), "note": body.note},
            )
            table = prices.load(connection, version.id)
        response.headers["ETag"] = _etag(version.id)
        return _view(version, table, None)

    @routes.get("/match", operation_id="matchPrice", summary="Ask which price holds for a model")
    def match_price(
        platform: Annotated[str, Query(min_length=1, max_length=100, examples=["anthropic"])],
        model: Annotated[str, Query(min_length=1, max_length=200, examples=["claude-haiku-4-5-20251001"])],
        at: Annotated[AwareMoment | None, Query(description="At this moment; now where it is left out")] = None,
    ) -> MatchView:
        """The row that a request for this model is priced by."""
        table = prices.load_current(needs.engine)
        found = table.find(platform, model, at or utc_now())
        return MatchView(
            price=None if found is None else price_view(found),
            own=any(row is found for row in table.own),
            version=table.version,
        )

    @routes.post("/sync", operation_id="syncPrices", summary="Take the list prices over")
    def sync_prices(request: Request, body: SyncInput | None = None) -> SyncView:
        """Puts the list prices of the installed package `genai-prices` in force; nothing is downloaded.

        Own prices stay, and go before them. With `dry_run` it only says what would change.
        """
        from ccrouter.storage import pricesync

        dry_run = body is not None and body.dry_run
        listed = pricesync.genai_table()
        with needs.engine.begin() as connection:
            before, table = prices.current(connection), prices.load_current(connection)
            version = before if dry_run else prices.put_list(connection, listed, pricesync.SOURCE)
            if version != before:
                note(
                    connection,
                    request,
                    "prices.sync",
                    version.id,
                    before={"version": before.id},
                    after={"version": version.id},
                )
        return SyncView(
            dry_run=dry_run,
            list_version=listed.version,
            in_force=before.list_version == listed.version,
            version=version_view(version),
            changes=[change_view(change) for change in list_changes(table, listed)],
        )

    @routes.post(
        "/rerate",
        operation_id="rerate",
        summary="Price requests anew",
        responses={202: {"model": JobView, "description": "It takes longer: the job's file holds the report"}},
    )
    def rerate(request: Request, response: Response, body: RerateInput) -> RerateView | JobView:
        """Computes what requests of a period cost by the prices in force, which must have been valid then.

        Requests without a price stay unpriced, and a cost that no price makes any more is kept. Each changed request
        names the new version. With `dry_run` it only says what would change. Many requests are a job (202).
        """
        filters = RerateFilters(
            since=body.since,
            until=body.until,
            key_id=body.key_id,
            platform=body.platform,
            model=body.model,
            only_unpriced=body.only_unpriced,
        )
        own = (
            None
            if body.own is None
            else [checked_row(row.row(), f"own[{index}]") for index, row in enumerate(body.own)]
        )
        version = prices.current(needs.engine).id
        asked = {**msgspec.to_builtins(filters), "version": version}
        if rerating.count(needs.engine, filters) > _MOST_AT_ONCE:
            arguments = {
                "filters": msgspec.to_builtins(filters),
                "version": version,
                "dry_run": body.dry_run,
                "own": None if own is None else _plain(tuple(own)),
            }
            with needs.engine.begin() as connection:
                job = jobs.create(connection, jobs.RERATE, request.state.user.id, arguments)
                if not body.dry_run:
                    note(connection, request, "prices.rerate", job.id, after=asked)
            needs.hurry("jobs")
            response.status_code = 202
            response.headers["Location"] = f"/api/v1/jobs/{job.id}"
            return view_of(job)
        table = prices.load_known(needs.engine, version)
        if own is not None:
            table = msgspec.structs.replace(table, own=tuple(own))
        report = rerating.as_document(rerating.rerate(needs.engine, filters, table, dry_run=body.dry_run))
        if not body.dry_run:
            needs.forget_spend()
            with needs.engine.begin() as connection:
                note(connection, request, "prices.rerate", version, after=asked | {"total": report["total"]})
        return RerateView.model_validate(report)

    def _view(version: PriceVersion, table: PriceTable, platform: str | None) -> PricesView:
        return PricesView(
            version=version_view(version),
            own=[price_view(row) for row in table.own if platform in (None, row.platform)],
            listed=[price_view(row) for row in table.rows if platform in (None, row.platform)],
            versions=[version_view(item) for item in prices.versions(needs.engine, _VERSIONS)],
        )

    return routes


def _for_members(view: PricesView) -> PricesView:
    """The same numbers without what administrators wrote down about them."""
    version = view.version.model_copy(update={"source": "", "note": None})
    own = [row.model_copy(update={"source": ""}) for row in view.own]
    return view.model_copy(update={"version": version, "own": own, "versions": []})


def checked_row(row: PriceRow, field: str) -> PriceRow:
    """The row itself. Raises Problem 422 for a platform that is none."""
    if not is_platform(row.platform) and row.platform not in vendors():
        raise invalid(f"{field}.platform", f"«{row.platform}» is neither a platform nor a vendor of `openai`")
    return row


def _etag(version: str) -> str:
    return f'"{version}"'


def _tags(if_match: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in if_match.split(",")]


def _plain(rows: tuple[PriceRow, ...]) -> Any:
    return msgspec.to_builtins(rows, str_keys=True)
