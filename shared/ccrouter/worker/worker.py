"""Does the chores: a thread for each, which sleeps until the next turn and gets it from the database."""

import logging
from collections.abc import Sequence
from threading import Event, Thread

from ccrouter.clock import monotonic_s
from ccrouter.errors import StorageAway
from ccrouter.services import Services
from ccrouter.worker.chore import Chore

_log = logging.getLogger(__name__)

_AGAIN_AFTER_S = 5.0
"""How soon it is tried again where the database is away."""


class Worker:
    """Does these chores from `start` to `stop`. The threads end with the process, whatever they are at."""

    def __init__(self, services: Services, chores: Sequence[Chore]) -> None:
        self._services = services
        self._chores = tuple(chores)
        self._stopping = services.stopping
        self._threads: list[Thread] = []
        self._waits: set[str] = set()
        """Chores that wait for the database: it is said once."""

    def start(self) -> None:
        """Begins; each chore is looked at at once."""
        for chore in self._chores:
            thread = Thread(target=self._keep, args=(chore,), name=f"ccr-{chore.name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, within_s: float = 10.0) -> None:
        """Lets the turns under way come to their end, so long; what is left then begins anew elsewhere or later."""
        self._stopping.set()
        for chore in self._chores:
            self._services.hurry(chore.name)
        give_up = monotonic_s() + within_s
        for chore, thread in zip(self._chores, self._threads, strict=False):
            thread.join(max(0.0, give_up - monotonic_s()))
            if thread.is_alive():
                _log.warning("the chore «%s» is left in the middle", chore.name)
        self._threads = []

    def run_due(self) -> None:
        """Does what is due, one after the other, and returns."""
        for chore in self._chores:
            self._look_at(chore, hurried=False)

    def _keep(self, chore: Chore) -> None:
        wake = self._services.hurried(chore.name)
        while not self._stopping.is_set():
            hurried = _take(wake)
            wake.wait(self._look_at(chore, hurried=hurried))

    def _look_at(self, chore: Chore, *, hurried: bool) -> float:
        """Does a chore where it is due; returns in how many seconds it should be looked at again."""
        from ccrouter.storage.chores import turn, wait_s
        from ccrouter.storage.crossing import away_named

        every_s = 0.0 if hurried else chore.every_s

        def do() -> float:
            if (left := wait_s(self._services.engine, chore.name, every_s)) > 0:
                return left
            with turn(self._services.engine, chore.name, every_s) as mine:
                if mine:
                    chore.run(self._services)
            return chore.every_s if mine or not hurried else min(chore.every_s, _AGAIN_AFTER_S)

        try:
            again_s = away_named(do)()
            self._waits.discard(chore.name)
            return again_s
        except StorageAway as error:
            if chore.name not in self._waits:
                self._waits.add(chore.name)
                _log.warning("the chore «%s» waits: %s", chore.name, error)
            return min(chore.every_s, _AGAIN_AFTER_S)
        except Exception:
            _log.exception("the chore «%s» failed", chore.name)
            return chore.every_s


def _take(wake: Event) -> bool:
    """Whether somebody is in a hurry; from here on nobody is."""
    hurried = wake.is_set()
    wake.clear()
    return hurried
