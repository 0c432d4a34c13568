"""Mapping and plan: where a model's name leads, and in which order credentials are tried."""

from typing import Any

import pytest
from tests.fakes import a_credential

from ccrouter.errors import NotFound, Unavailable, Verdict
from ccrouter.routing.mapping import Mapping, MappingError, Target, family_of, read_mapping, resolve
from ccrouter.routing.plan import Candidate, Line, plan


def to(model: str, platform: str = "anthropic") -> dict[str, str]:
    """A target as JSON."""
    return {"platform": platform, "model": model}


MAPPING = {
    "rules": [
        {"match": "claude-3-*", "targets": [to("by-rule")]},
        {"match": "claude-3-opus", "targets": [to("never")]},
        {"match": "gpt-*", "targets": []},
    ],
    "opus": [to("the-opus")],
    "haiku": None,
    "fable": [to("the-fable")],
    "default": [to("the-default")],
}
SETTINGS = {"haiku": [to("settings-haiku")], "opus": [to("settings-opus")], "sonnet": None}


@pytest.mark.parametrize(
    ("model", "expected", "rule", "slot"),
    [
        ("claude-3-opus", ["by-rule"], "claude-3-*", None),
        ("gpt-5", [], "gpt-*", None),
        ("claude-opus-4-5[1m]", ["the-opus"], None, "opus"),
        ("claude-4-opus-20250514", ["the-opus"], None, "opus"),
        ("opus", ["the-opus"], None, "opus"),
        ("us.anthropic.claude-opus-4-5-v1:0", ["the-opus"], None, "opus"),
        ("claude-fable-5-2", ["the-fable"], None, "fable"),
        ("claude-haiku-5-5", ["settings-haiku"], None, "haiku"),
        ("claude-sonnet-5-5", ["the-default"], None, "sonnet"),
        ("magnum-opusculum", ["the-default"], None, None),
        ("claude-opus-3-x", ["the-opus"], None, "opus"),
    ],
)
def test_a_name_is_looked_up_in_rules_then_slots_then_default(
    model: str, expected: list[str], rule: str | None, slot: str | None
) -> None:
    """Rules top to bottom, the family's slot of the key, that of the settings, the default."""
    found = resolve(model, read_mapping(MAPPING), read_mapping(SETTINGS))
    assert found.targets is not None
    assert (expected, rule, slot) == ([target.model for target in found.targets], found.rule, found.slot)


def test_without_any_mapping_a_name_is_passed_on() -> None:
    """An empty mapping asks for the name as it is."""
    assert resolve("claude-opus-5-5", Mapping(), Mapping()).targets is None


def test_a_mapping_may_name_families_of_its_own() -> None:
    """A further slot is found by its own name in the model's."""
    assert family_of("gemini-4-argon", ("gemini",)) == "gemini"
    assert family_of("gemini-4-argon") is None


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "mapping"),
        ({"opus": {}}, "mapping.opus"),
        ({"opus": [to("")]}, "mapping.opus[0]"),
        ({"opus": [{"platform": "anthropic"}]}, "mapping.opus[0]"),
        ({"opus": [{**to("x"), "colour": 1}]}, "mapping.opus[0]"),
        ({"Opus!": [to("x")]}, "mapping.Opus!"),
        ({"rules": [{"targets": []}]}, "mapping.rules[0].match"),
        ({"rules": [{"match": "x", "targets": None}]}, "mapping.rules[0].targets"),
        ({"rules": [{"match": "x", "targets": [], "to": 1}]}, "mapping.rules[0].to"),
        ({"default": "x"}, "mapping.default"),
    ],
)
def test_a_mapping_that_cannot_be_read_names_the_member(document: Any, field: str) -> None:
    """The administrator learns which member is at fault."""
    with pytest.raises(MappingError) as caught:
        read_mapping(document)
    assert field == caught.value.field


def candidates(mapping: dict[str, Any] | None, *names: tuple[str, dict[str, Any]], talk: str = "c") -> list[Candidate]:
    """The plan for claude-opus-5-5 with these credentials."""
    read = read_mapping(mapping)
    credentials = [a_credential(name, **fields) for name, fields in names]
    return plan("claude-opus-5-5", resolve("claude-opus-5-5", read, Mapping()), read, credentials, talk)


def names_of(found: list[Candidate]) -> list[str | None]:
    """The credentials' names in order."""
    return [candidate.credential.name if candidate.credential else None for candidate in found]


def test_higher_priority_comes_first_and_targets_keep_their_order() -> None:
    """Within a target by priority; the next target only after all of the first's credentials."""
    found = candidates(
        {"opus": [to("one"), to("two"), to("s", "sandbox")]}, ("low", {"priority": 1}), ("high", {"priority": 5})
    )
    assert names_of(found) == ["high", "low", "high", "low", None]
    assert [candidate.target.model for candidate in found] == ["one", "one", "two", "two", "s"]


def test_a_conversation_always_finds_the_same_credential() -> None:
    """Among equals the choice depends on the conversation alone, and all get their share by weight."""
    pool = [(name, {"weight": weight}) for name, weight in (("a", 1), ("b", 1), ("c", 2))]
    firsts = [names_of(candidates(None, *pool, talk=f"talk-{number}"))[0] for number in range(2000)]
    again = [names_of(candidates(None, *pool, talk=f"talk-{number}"))[0] for number in range(2000)]
    assert firsts == again
    assert 0.45 < firsts.count("c") / 2000 < 0.55
    assert 0.20 < firsts.count("a") / 2000 < 0.30


def test_a_pinned_credential_and_model_lists_are_kept_to() -> None:
    """A target's pin and a credential's list of models both restrict."""
    pinned = {"opus": [{**to("m"), "credential_id": "credential-b"}]}
    assert names_of(candidates(pinned, ("a", {}), ("b", {}))) == ["b"]
    assert names_of(candidates({"opus": [to("m")]}, ("a", {"models": ("m",)}), ("b", {"models": ("n",)}))) == ["a"]


def test_an_unmapped_name_goes_to_anthropic_unchanged() -> None:
    """Without a mapping the name is passed on, if there is a credential for it."""
    (found,) = candidates(None, ("a", {}))
    assert Target("anthropic", "claude-opus-5-5") == found.target


def test_a_name_that_leads_nowhere_is_refused_with_the_keys_slots() -> None:
    """The message begins as clients expect it and tells what the key can do."""
    with pytest.raises(NotFound, match=r"^model: claude-opus-5-5\. .*slots of this key: haiku"):
        candidates({"opus": [], "haiku": [to("x")]}, ("a", {}))
    with pytest.raises(NotFound, match=r"^model: claude-opus-5-5\. .*slots of this key: none.*no credential for it"):
        candidates(None)


def test_a_target_without_a_credential_is_the_administrators_matter() -> None:
    """No credential for the mapped platform: 503, and no client needs to repeat."""
    with pytest.raises(Unavailable, match="mapped to anthropic") as caught:
        candidates({"opus": [to("x")]})
    assert caught.value.extra == (("x-should-retry", "false"),)


SETTINGS_FAMILY = {"gemini": [to("settings-gemini")]}


@pytest.mark.parametrize(
    ("model", "mapping", "settings", "expected"),
    [
        # An empty list refuses, it does not fall through.
        ("claude-opus-5-5", {"opus": [], "default": [to("d")]}, {"opus": [to("s")]}, []),
        ("claude-opus-5-5", {"rules": [{"match": "*", "targets": []}], "opus": [to("o")]}, {}, []),
        ("other", {"default": []}, {}, []),
        # Null and absent are the same: the settings' slot, then the default.
        ("claude-opus-5-5", {"opus": None}, {"opus": [to("s")]}, ["s"]),
        ("claude-opus-5-5", {}, {"opus": []}, []),
        ("claude-opus-5-5", {"opus": None, "default": [to("d")]}, {"opus": None}, ["d"]),
        # The settings' rules and default are nobody's: only their slots fill what a key leaves open.
        ("other", {}, {"rules": [{"match": "*", "targets": [to("s")]}], "default": [to("s")]}, None),
        ("gemini-4-argon", {}, SETTINGS_FAMILY, ["settings-gemini"]),
        # Patterns are for the whole name, and case counts.
        ("claude-3-opus-x", {"rules": [{"match": "claude-3-opus", "targets": []}]}, {}, None),
        ("Claude-3", {"rules": [{"match": "claude-*", "targets": []}]}, {}, None),
        ("claude-3", {"rules": [{"match": "claude-?", "targets": [to("r")]}]}, {}, ["r"]),
        ("claude-3", {"rules": [{"match": "claude-[1-4]", "targets": [to("r")]}]}, {}, ["r"]),
        # A family is a word of the name, in any case; the first one counts.
        ("CLAUDE-OPUS-5", {"opus": [to("o")]}, {}, ["o"]),
        ("sonnet-to-opus", {"opus": [to("o")], "sonnet": [to("s")]}, {}, ["s"]),
        ("opusculum", {"opus": [to("o")]}, {}, None),
        ("claude_opus.5", {"opus": [to("o")]}, {}, ["o"]),
        ("claude-mythos-5-2", {"mythos": [to("m")]}, {}, ["m"]),
        ("glm-5.3", {"glm": [to("g")]}, {}, ["g"]),
        ("", {"opus": [to("o")]}, {}, None),
    ],
)
def test_edges_of_the_look_up(
    model: str, mapping: dict[str, Any], settings: dict[str, Any], expected: list[str] | None
) -> None:
    """None: the name is passed on as it is."""
    found = resolve(model, read_mapping(mapping), read_mapping(settings)).targets
    assert expected == (None if found is None else [target.model for target in found])


def test_an_empty_chain_is_refused_and_an_open_one_passed_on() -> None:
    """With a credential an unmapped name goes to Anthropic; `[]` never does."""
    with pytest.raises(NotFound):
        candidates({"default": []}, ("a", {}), talk="c")
    assert candidates({"default": None}, ("a", {}))[0].target.model == "claude-opus-5-5"
    with pytest.raises(NotFound):
        candidates({}, ("a", {"platform": "gemini"}))


def test_a_credential_that_does_not_fit_is_no_candidate() -> None:
    """Of another platform, for other models, or another than the pinned one."""
    chain = {"opus": [to("m"), {**to("n"), "credential_id": "credential-x"}]}
    with pytest.raises(Unavailable):
        candidates(chain, ("a", {"platform": "gemini"}), ("b", {"models": ("other",)}), ("c", {"models": ()}))
    assert names_of(candidates(chain, ("x", {}), ("y", {}), talk="t")).count("x") == 2


def test_a_heavier_credential_takes_its_share_and_a_lost_one_moves_only_its_own() -> None:
    """Conversations stay where they are when a credential goes."""
    pool = [(name, {"weight": weight}) for name, weight in (("a", 1), ("b", 3), ("c", 1))]
    before = {talk: names_of(candidates(None, *pool, talk=str(talk))) for talk in range(500)}
    after = {talk: names_of(candidates(None, *pool[:2], talk=str(talk))) for talk in range(500)}
    for talk, order in before.items():
        assert after[talk] == [name for name in order if name != "c"]
    assert 230 < sum(order[0] == "b" for order in before.values()) < 370


def walk(line: Line, *verdicts: Verdict, shut: tuple[str, ...] = ()) -> list[str | None]:
    """Who is tried while each attempt fails with the next verdict."""
    tried = names_of([line.current])
    for verdict in verdicts:
        if not line.move_on(verdict, lambda one, _: names_of([one])[0] not in shut):
            break
        tried += names_of([line.current])
    return tried


def a_candidate(name: str, index: int, platform: str = "anthropic", model: str = "m") -> Candidate:
    """A credential for a target."""
    return Candidate(Target(platform, model), index, a_credential(name, platform=platform))


A, B, C = a_candidate("a", 0), a_candidate("b", 0), a_candidate("c", 1)


def test_after_a_failure_the_next_one_that_is_still_free_is_tried() -> None:
    """What befell the others meanwhile counts."""
    on = Verdict.NEXT_CREDENTIAL
    assert walk(Line([A, B, C]), on, on, on) == ["a", "b", "c"]
    assert walk(Line([A, B, C]), on, on, shut=("b",)) == ["a", "c"]
    assert walk(Line([A, B, C]), Verdict.FINAL) == ["a"]
    assert not Line([A, B]).has_more(lambda *_: False)
    assert Line([A, B]).has_more(lambda *_: True)


def test_after_a_refusal_no_other_account_of_the_platform_is_tried() -> None:
    """Not in this target, not in a later one, not after a further failure; the same account may have a model that
    works."""
    refused, on = Verdict.NEXT_TARGET, Verdict.NEXT_CREDENTIAL
    gemini, again, same = a_candidate("g", 1, "gemini"), a_candidate("b", 2), a_candidate("a", 2, model="n")
    assert walk(Line([A, B, gemini, again]), refused, on) == ["a", "g"]
    assert walk(Line([A, B, same, again]), refused, on) == ["a", "a"]
