"""The order in which credentials and targets are tried for one request (`product.md` §4)."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ccrouter.credentials.kinds import Credential
from ccrouter.errors import NO_RETRY, NotFound, Unavailable, Verdict
from ccrouter.platforms.registry import PLATFORMS, SELF_ANSWERING, UNMAPPED_PLATFORM
from ccrouter.routing.mapping import Mapping, Resolution, Target


@dataclass(frozen=True, slots=True)
class Candidate:
    """One try: a target and the credential to try it with (None where the platform needs none)."""

    target: Target
    target_index: int
    credential: Credential | None

    @property
    def credential_id(self) -> str | None:
        """The credential's id."""
        return self.credential.id if self.credential is not None else None


IsFree = Callable[[Candidate, Candidate], bool]
"""Whether a candidate may be tried now, once the second one is done with."""


def plan(
    model: str, resolution: Resolution, mapping: Mapping, credentials: Sequence[Credential], conversation: str
) -> list[Candidate]:
    """All tries for a request, best first.

    Raises NotFound where the name leads nowhere, Unavailable where it leads to platforms that have no credential.
    """
    targets = resolution.targets
    if targets is None:
        if not any(credential.platform == UNMAPPED_PLATFORM for credential in credentials):
            raise NotFound(
                f"{nowhere(model, mapping)} Other names go to {UNMAPPED_PLATFORM}, but this router has no credential "
                "for it; an administrator must add one."
            )
        targets = (Target(UNMAPPED_PLATFORM, model),)
    if not targets:
        raise NotFound(nowhere(model, mapping))
    candidates = []
    for index, target in enumerate(targets):
        if target.platform in SELF_ANSWERING:
            candidates.append(Candidate(target, index, None))
        elif target.platform in PLATFORMS:
            usable = [credential for credential in credentials if _fits(credential, target)]
            usable.sort(key=lambda credential: (-credential.priority, _preference(credential, conversation)))
            candidates += [Candidate(target, index, credential) for credential in usable]
    if not candidates:
        platforms = ", ".join(dict.fromkeys(target.platform for target in targets))
        raise Unavailable(
            f"The model {model} is mapped to {platforms}, but this router has no usable credential for it. "
            "An administrator must add or enable one.",
            extra=NO_RETRY,
        )
    return candidates


class Line:
    """The candidates of one request in their order, and which of them failed attempts have ruled out."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._candidates = candidates
        self._position = 0
        self._kept: dict[str, str | None] = {}
        """By platform that refused: the one credential of it that may still be asked, for another model."""

    @property
    def current(self) -> Candidate:
        """The one to try now."""
        return self._candidates[self._position]

    def has_more(self, is_free: IsFree) -> bool:
        """Whether another one could be tried after the current one."""
        return self._following(Verdict.NEXT_CREDENTIAL, is_free) is not None

    def move_on(self, verdict: Verdict, is_free: IsFree) -> bool:
        """Goes to the next one that may be tried after the current one failed; False where there is none.

        After a refusal no further account of that platform is tried, whatever fails afterwards (`product.md` §4).
        """
        if verdict is Verdict.FINAL:
            return False
        if verdict is Verdict.NEXT_TARGET:
            self._kept[self.current.target.platform] = self.current.credential_id
        following = self._following(verdict, is_free)
        if following is None:
            return False
        self._position = following
        return True

    def _following(self, verdict: Verdict, is_free: IsFree) -> int | None:
        for position in range(self._position + 1, len(self._candidates)):
            candidate = self._candidates[position]
            if verdict is Verdict.NEXT_TARGET and candidate.target_index == self.current.target_index:
                continue
            platform = candidate.target.platform
            if platform in self._kept and self._kept[platform] != candidate.credential_id:
                continue
            if is_free(candidate, self.current):
                return position
        return None


def nowhere(model: str, mapping: Mapping) -> str:
    """The message for a model name that leads nowhere. It begins as clients expect it (anthropic-messages.md §9.2)."""
    slots = ", ".join(sorted(name for name, chain in mapping.slots.items() if chain)) or "none"
    patterns = ", ".join(rule.match for rule in mapping.rules)
    return f"model: {model}. This key has no target for it; slots of this key: {slots}" + (
        f"; rules: {patterns}." if patterns else "."
    )


def _fits(credential: Credential, target: Target) -> bool:
    return (
        credential.platform == target.platform
        and (target.credential_id is None or credential.id == target.credential_id)
        and (credential.models is None or target.model in credential.models)
    )


def _preference(credential: Credential, conversation: str) -> float:
    """Weighted rendezvous hashing: a conversation always finds the same order, so that the prompt cache is hit.

    No state is shared for it: each process comes to the same order, and a credential that comes or goes moves only
    the conversations that were its own.
    """
    hashed = hashlib.blake2b(f"{conversation}\0{credential.id}".encode(), digest_size=8).digest()
    uniform = (int.from_bytes(hashed, "big") + 1) / (2**64 + 1)
    return -math.log(uniform) / max(credential.weight, 1e-9)
