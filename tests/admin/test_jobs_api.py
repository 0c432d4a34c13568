"""Jobs over the admin API: an owner sees how far they are and fetches what came of them."""

from datetime import timedelta

import httpx2
from tests.admin.site import Site, assert_problem

from ccrouter.clock import utc_now
from ccrouter.ids import uuid7
from ccrouter.storage import jobs
from ccrouter.storage.users import User

JOBS = "/api/v1/jobs"


def test_an_owner_follows_a_job_and_fetches_its_file(
    site: Site, api: httpx2.Client, member: User, member_api: httpx2.Client
) -> None:
    """404 until it is there, the file then, 410 when it is too old."""
    services = site.router.services
    kind = f"test-{uuid7()}"
    job = jobs.create(services.engine, kind, member.id, {"secret": "arguments are not shown"})
    url = f"{JOBS}/{job.id}"
    waiting = member_api.get(url)
    assert (waiting.status_code, waiting.json()["state"], waiting.json()["progress"]) == (200, "queued", 0)
    assert "arguments" not in waiting.text
    assert_problem(member_api.get(f"{url}/result"), 404, "not_found")
    taken = jobs.claim(services.engine, [kind])
    assert taken is not None
    services.result_files.write(job.id, "Ünit 1.csv", "text/csv", [b"a,b\n", b"1,2\n"])
    jobs.finish(services.engine, taken, jobs.result_url(job.id))
    done = member_api.get(url).json()
    assert (done["state"], done["progress"], done["error"]) == ("done", 1, None)
    for client in (member_api, api):
        answer = client.get(done["result_url"])
        assert answer.content == b"a,b\n1,2\n"
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.headers["content-length"] == "8"
        assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%C3%9Cnit%201.csv"
    services.result_files.drop_older(utc_now() + timedelta(hours=1))
    assert_problem(member_api.get(done["result_url"]), 410, "gone")


def test_other_peoples_jobs_are_not_there(
    site: Site, api: httpx2.Client, member: User, member_api: httpx2.Client
) -> None:
    """Exactly as ids that nobody has given out; an administrator sees all."""
    other = jobs.create(site.router.services.engine, "test", site.new_user().id, {})
    own = jobs.create(site.router.services.engine, "test", member.id, {})
    for job_id in (other.id, str(uuid7()), "nonsense"):
        assert_problem(member_api.get(f"{JOBS}/{job_id}"), 404, "not_found")
        assert_problem(member_api.get(f"{JOBS}/{job_id}/result"), 404, "not_found")
    assert [job["id"] for job in member_api.get(JOBS).json()["items"]] == [own.id]
    assert [job["id"] for job in api.get(JOBS, params={"limit": 2}).json()["items"]] == [own.id, other.id]
    assert api.get(f"{JOBS}/{other.id}").json()["owner_id"] == other.owner_id
