"""What a chore is."""

from collections.abc import Callable
from dataclasses import dataclass

from ccrouter.services import Services


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do every so often, wherever processes run and however many.

    `run` blocks, in a thread of its own. What it raises is logged and the chore comes round again, so it must be able
    to begin anew. One that takes long looks at `services.stopping` now and then. `Services.hurry` calls it early.
    """

    name: str
    every_s: float
    run: Callable[[Services], None]
