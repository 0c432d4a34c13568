"""Calls and results in pairs, as the service checks them (kiro.md §5, step 7)."""

from ccrouter.dialects.kiro.turns import Result, Turn

_CANCELLED = "Tool call was cancelled."


def pair_up(turns: list[Turn]) -> None:
    """Gives every call one result, in the turn after it; other results become text of their turn.

    `turns` alternate and begin with the user's.
    """
    called: list[str] = []
    for turn in turns:
        if not turn.is_user:
            uses = {use["toolUseId"]: use for use in reversed(turn.uses)}
            turn.uses = [use for use in turn.uses if uses.get(use["toolUseId"]) is use]
            called = [use["toolUseId"] for use in turn.uses]
            continue
        kept: dict[str, Result] = {}
        for result in turn.results:
            if result.id not in called:
                turn.texts.append(f"[Result of tool call {result.id}]\n{result.text}")
            else:
                kept.setdefault(result.id, result)
        for id_ in called:
            kept.setdefault(id_, Result(id_, _CANCELLED, failed=True))
        turn.results, called = list(kept.values()), []
