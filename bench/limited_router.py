"""The proxy door as a process of its own, with leases as short as a test can wait for.

python -m bench.limited_router LEASE_MS    (settings as always, from the environment)
"""

import sys

import uvicorn

from ccrouter.config import read_environment
from ccrouter.proxy.door import ProxyDoor
from ccrouter.services import Services
from ccrouter.storage.limits import RedisLimiter


def main() -> None:
    """Serves until it is ended."""
    services = Services.build(read_environment())
    vars(services)["limits"] = RedisLimiter(
        services.engine, services.crossing, services.redis, lease_ms=int(sys.argv[1])
    )
    uvicorn.run(
        ProxyDoor(services),
        port=services.settings.port,
        http="httptools",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
