"""How one platform speaks the Gemini dialect: what differs between the hosts and between the families behind them."""

from dataclasses import dataclass, field
from typing import Any

CARRIER_GEMINI = "gemini"
CARRIER_CLAUDE = "cca"
"""Tags of the carriers (messages/carrier.py): Gemini's thought signatures, and Claude's behind Cloud Code Assist."""

STAND_IN = "skip_thought_signature_validator"
"""Google's documented value for calls that did not come from this model (ai.google.dev, "Thought signatures")."""


@dataclass(frozen=True, slots=True)
class Manner:
    """`platform` is named in refusals. `claude`: the model behind the dialect is Claude. `code_assist`: the host is
    Cloud Code Assist (antigravity.md). `reads_gcs`: `gs://` addresses are read by the platform itself.
    """

    platform: str
    claude: bool = False
    code_assist: bool = False
    reads_gcs: bool = False
    call_ids: bool = True

    @property
    def carrier(self) -> str:
        """The tag of the carriers that this family understands."""
        return CARRIER_CLAUDE if self.claude else CARRIER_GEMINI


@dataclass(frozen=True, slots=True)
class Tuning:
    """What an operator may set (credential options)."""

    head_room: int = 1_024
    drop_sampling: bool = False
    validated_calls: bool = False
    grounding: bool = True
    safety: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Mended:
    """What is left out or changed after a platform objected to it."""

    plain_parameters: bool = False
    """Tools are described by `parameters` instead of `parametersJsonSchema`."""
    stand_ins: bool = False
    """All remembered and carried signatures are replaced by the stand-in."""
    without_thinking: bool = False
    """No thinking of the history goes back, and none is asked for."""
    without_level: bool = False
    """No `thinkingLevel`."""


AS_IS = Mended()
"""Nothing."""
AS_GIVEN = Tuning()
"""What holds where an operator sets nothing."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request body of the dialect, and what its answer must be read with."""

    body: dict[str, Any]
    names: dict[str, str]
    """The client's tool name by the name that was sent."""
    shows_thinking: bool
    searches: bool
    """Whether the model may search the web: then the answer is held until its sources are known."""
    allowed_domains: tuple[str, ...] = ()
    blocked_domains: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())
    """What was left out, one sentence each."""
