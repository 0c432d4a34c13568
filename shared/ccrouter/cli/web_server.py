"""The web server of `ccrouter serve`: uvicorn, which here ends in good order however often it is asked to."""

import asyncio
import logging
import socket
from collections.abc import Callable
from types import FrameType

import click
import uvicorn

from ccrouter.server import create_app
from ccrouter.services import Services
from ccrouter.worker.chores import CHORES

_LET_ANSWERS_END_S = 20


class WebServer(uvicorn.Server):
    """Serves all doors. `when_ready` is called once, when requests are answered."""

    def __init__(self, services: Services, when_ready: Callable[[], None]) -> None:
        logging.getLogger("uvicorn.error").addFilter(_no_cancelled_answers)
        super().__init__(
            uvicorn.Config(
                create_app(services, CHORES),
                http="httptools",
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_LET_ANSWERS_END_S,
            )
        )
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._when_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.server_state.tasks:
            click.echo(
                f"stopping: answers under way may end within {_LET_ANSWERS_END_S} s (Ctrl-C again: at once)", err=True
            )
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            super().handle_exit(sig, frame)
            return
        # uvicorn would leave the lifespan out now, and with it the records of these answers.
        asyncio.get_running_loop().call_soon_threadsafe(self._cut_answers)

    def _cut_answers(self) -> None:
        for task in self.server_state.tasks:
            task.cancel()


def _no_cancelled_answers(entry: logging.LogRecord) -> bool:
    # uvicorn reports each answer that is cut at the end as a fault of the application.
    return entry.exc_info is None or not isinstance(entry.exc_info[1], asyncio.CancelledError)
