"""Streams while PostgreSQL and Redis are stopped and a router is killed; `python -m bench.outage` is the full size."""

from bench.outage import Plan, run


def test_no_row_is_missing_or_double_after_an_outage_of_everything() -> None:
    """Each request that reached the platform has one row, those of the killed router too, and the sums are right."""
    report = run(
        Plan(
            streams=60,
            routers=2,
            arrive_within_s=1.0,
            last_s=(0.5, 9.0),
            pace_s=0.5,
            without_postgres=(1.5, 5.0),
            without_redis=(2.5, 6.0),
            kill_at=4.0,
        )
    )
    assert report.good, str(report)
    assert report.died > 0, str(report)
    assert report.reached > 20, str(report)
