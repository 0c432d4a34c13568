"""Jobs: how far they are, and what came of them."""

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from ccrouter.admin.editing import Cursor, Limit, bad_cursor, not_found
from ccrouter.admin.job_schemas import JobView
from ccrouter.admin.needs import Needs
from ccrouter.admin.permissions import ADMIN
from ccrouter.admin.problems import Problem
from ccrouter.admin.schemas import Page
from ccrouter.storage import jobs
from ccrouter.storage.jobs import Job

_BINARY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


def job_routes(needs: Needs) -> APIRouter:
    """The routes under `/jobs`."""
    routes = APIRouter(prefix="/jobs", tags=["jobs"])

    @routes.get("", operation_id="listJobs", summary="List jobs")
    def list_jobs(request: Request, cursor: Cursor = None, limit: Limit = 50) -> Page[JobView]:
        """Jobs, newest first; a member's own. They are forgotten 30 days after they have ended."""
        user = request.state.user
        owner_id = None if user.role == ADMIN else user.id
        try:
            page = jobs.find(needs.engine, owner_id=owner_id, cursor=cursor, limit=limit)
        except ValueError as error:
            raise bad_cursor(error) from None
        return Page(items=[view_of(job) for job in page.items], next_cursor=page.next_cursor)

    @routes.get("/{job_id}", operation_id="getJob", summary="Ask how far a job is")
    def get_job(job_id: str, request: Request) -> JobView:
        """One job."""
        return view_of(_visible(job_id, request))

    @routes.get(
        "/{job_id}/result",
        operation_id="getJobResult",
        summary="Fetch the file that a job made",
        response_class=StreamingResponse,
        responses={200: {"description": "The file", **_BINARY}},
    )
    def get_result(job_id: str, request: Request) -> StreamingResponse:
        """The file, streamed. It is kept for seven days; 410 afterwards."""
        job = _visible(job_id, request)
        found = needs.result_files.open(job.id) if job.state == "done" else None
        if found is None and job.result_url == jobs.result_url(job.id):
            raise Problem(410, "Files are kept for seven days; this one is gone. Start the job anew.")
        if found is None:
            raise not_found("file of this job")
        headers = {
            "Content-Length": str(found.size),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name)}",
        }
        return StreamingResponse(found.chunks, media_type=found.media_type, headers=headers)

    def _visible(job_id: str, request: Request) -> Job:
        job, user = jobs.get(needs.engine, job_id), request.state.user
        if job is None or (user.role != ADMIN and job.owner_id != user.id):
            raise not_found("job")
        return job

    return routes


def view_of(job: Job) -> JobView:
    """A job as the API shows it."""
    return JobView(
        id=job.id,
        kind=job.kind,
        state=job.state,
        progress=job.progress,
        result_url=job.result_url,
        error=job.error,
        owner_id=job.owner_id,
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
    )
