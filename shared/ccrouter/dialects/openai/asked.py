"""What is asked of an address, and how a request is changed after a refusal: the input of both encoders."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ccrouter.dialects.openai.media import Bytes, MediaPieces
from ccrouter.dialects.openai.models import clamped, efforts_of, reasons, refuses_forcing
from ccrouter.dialects.openai.names import ToolNames
from ccrouter.dialects.openai.thinking import Thinking
from ccrouter.dialects.openai.tools import Choice, read_choice
from ccrouter.dialects.openai.vendors import Vendor


@dataclass(frozen=True, slots=True)
class Mended:
    """What a platform's refusals have taught (openai-compatible.md §8).

    `dropped` are paths of members to leave out. `other_limit`: the other one of the two names of the token limit.
    `responses`: the model is asked through the Responses API. `no_thinking` and `no_reasoning` (items of earlier
    answers) hold for one request only.
    """

    dropped: frozenset[str] = frozenset()
    other_limit: bool = False
    responses: bool = False
    no_thinking: bool = False
    no_reasoning: bool = False


AS_IS = Mended()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way to an address."""

    document: dict[str, Any]
    model: str
    vendor: Vendor
    thinking: Thinking
    stream: bool
    names: ToolNames
    remembered: Mapping[str, bytes] = field(default_factory=dict)
    media: Mapping[str, Bytes] = field(default_factory=dict)
    vision: bool = True
    fast_tier: bool = False
    prefix: bool = False
    """Whether this address continues an answer that the client began, though its row does not say so."""

    @property
    def pieces(self) -> MediaPieces:
        """The maker of images and files."""
        return MediaPieces(self.vendor, self.media, vision=self.vision)

    @property
    def efforts(self) -> tuple[str, ...]:
        """What the model knows."""
        return efforts_of(self.model) if self.vendor.efforts is None else self.vendor.efforts

    @property
    def effort(self) -> str | None:
        """The effort to send, None for none."""
        return None if self.thinking.effort is None else clamped(self.thinking.effort, self.efforts)

    @property
    def sampled(self) -> bool:
        """Whether temperature and its like may be sent."""
        return not (self.vendor.openai_ids and reasons(self.model)) or self.effort == "none"

    @property
    def user_hash(self) -> str | None:
        """The client's user id as a hash: the raw value names the person's account and session."""
        metadata = self.document.get("metadata")
        user_id = metadata.get("user_id") if isinstance(metadata, dict) else None
        if not isinstance(user_id, str) or not user_id:
            return None
        return hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).hexdigest()

    def choice(self, mended: Mended) -> Choice:
        """The choice among the tools."""
        thinks = self.thinking.wanted is not False and not mended.no_thinking
        refuses = not self.vendor.forces_while_thinking or refuses_forcing(self.model)
        return read_choice(self.document.get("tool_choice"), self.names, may_force=not (thinks and refuses))


def without(body: dict[str, Any], paths: frozenset[str]) -> dict[str, Any]:
    """The body without these members; `reasoning.summary` is a member of a member."""
    for path in paths:
        holder: Any = body
        *parents, name = path.split(".")
        for parent in parents:
            holder = holder.get(parent) if isinstance(holder, dict) else None
        if isinstance(holder, dict):
            holder.pop(name, None)
        if parents and body.get(parents[0]) == {}:
            del body[parents[0]]
    return body
