"""What must not happen while Schemathesis asks: nobody signs out the one who asks."""

import os
import uuid
from typing import Any

import schemathesis

OWN = os.environ.get("ASKED_BY", "").split()
"""The ids of the user and of the session that ask; none where nobody is signed in."""


@schemathesis.hook
def before_call(_: Any, case: Any, __: dict[str, Any]) -> None:
    """What would end them is done to others."""
    parameters = case.path_parameters or {}
    for name, value in parameters.items():
        if value in OWN:
            parameters[name] = str(uuid.uuid4())
