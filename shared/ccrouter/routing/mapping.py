"""What a key's mapping says: rules, slots and a default, each a chain of targets (`product.md` §4)."""

import re
from fnmatch import fnmatchcase
from typing import Any

import msgspec

FAMILIES = ("opus", "sonnet", "haiku", "fable", "mythos")
"""Families of the model table; a mapping may name further ones as slots."""

EFFORTS = ("low", "medium", "high", "xhigh", "max")
"""What a target may set in place of the client's effort (anthropic-messages.md §4.1)."""

_RESERVED = ("rules", "default")


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One place to send a request to: a platform and the model's name there; optionally one pinned credential."""

    platform: str
    model: str
    credential_id: str | None = None
    effort: str | None = None


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A shell-style pattern on the whole requested name, and the chain it leads to."""

    match: str
    targets: tuple[Target, ...]


class Mapping(msgspec.Struct, frozen=True):
    """A mapping, read. `default` None passes the name on to platform `anthropic`; `()` refuses."""

    rules: tuple[Rule, ...] = ()
    slots: dict[str, tuple[Target, ...]] = {}
    default: tuple[Target, ...] | None = None


class MappingError(ValueError):
    """A mapping cannot be read; `field` is the path of the member at fault, such as `mapping.opus[0].model`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class Resolution(msgspec.Struct, frozen=True):
    """Where a requested name leads.

    `targets` None means: pass the name unchanged to platform `anthropic`. `rule` is the pattern that matched,
    `slot` the family that was found in the name.
    """

    targets: tuple[Target, ...] | None
    rule: str | None = None
    slot: str | None = None


def read_mapping(document: Any, field: str = "mapping") -> Mapping:
    """Reads a mapping's JSON: `{"opus": [target…] | null, "rules": […], "default": [target…] | null}`.

    Raises MappingError naming the member at fault.
    """
    if document is None:
        return Mapping()
    if not isinstance(document, dict):
        raise MappingError(field, 'must be an object such as {"opus": [{"platform": …, "model": …}]}')
    slots: dict[str, tuple[Target, ...]] = {}
    for name, chain in document.items():
        if name in _RESERVED or chain is None:
            continue
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", name):
            raise MappingError(f"{field}.{name}", "a slot is named by a model family in lower case, such as opus")
        slots[name] = _read_chain(chain, f"{field}.{name}")
    rules = document.get("rules") or []
    if not isinstance(rules, list):
        raise MappingError(f"{field}.rules", 'must be a list of {"match", "targets"}')
    default = document.get("default")
    return Mapping(
        rules=tuple(_read_rule(rule, f"{field}.rules[{index}]") for index, rule in enumerate(rules)),
        slots=slots,
        default=None if default is None else _read_chain(default, f"{field}.default"),
    )


def _read_rule(document: Any, field: str) -> Rule:
    if not isinstance(document, dict) or not isinstance(document.get("match"), str) or not document["match"]:
        raise MappingError(f"{field}.match", "a rule needs a pattern, such as claude-3-*")
    unknown = set(document) - {"match", "targets"}
    if unknown:
        raise MappingError(f"{field}.{min(unknown)}", "is not a member of a rule (match, targets)")
    return Rule(document["match"], _read_chain(document.get("targets"), f"{field}.targets"))


def _read_chain(document: Any, field: str) -> tuple[Target, ...]:
    if not isinstance(document, list):
        raise MappingError(field, "must be a list of targets; an empty list refuses the model")
    targets = []
    for index, item in enumerate(document):
        try:
            target = msgspec.convert(item, Target)
        except msgspec.ValidationError as error:
            raise MappingError(f"{field}[{index}]", str(error)) from None
        if not target.platform or not target.model:
            raise MappingError(f"{field}[{index}]", "a target needs a platform and a model")
        targets.append(target)
    return tuple(targets)


def targets_of(mapping: Mapping) -> list[tuple[str, Target]]:
    """Every target with the path of its member."""
    chains = {f"mapping.{slot}": chain for slot, chain in mapping.slots.items()}
    chains |= {f"mapping.rules[{index}].targets": rule.targets for index, rule in enumerate(mapping.rules)}
    chains["mapping.default"] = mapping.default or ()
    return [(f"{field}[{index}]", target) for field, chain in chains.items() for index, target in enumerate(chain)]


def family_of(model: str, slots: tuple[str, ...] = ()) -> str | None:
    """The family named in a model's name, whatever dates, versions, prefixes or `[1m]` surround it."""
    words = re.split(r"[^a-z0-9]+", model.lower())
    for word in words:
        if word in FAMILIES or word in slots:
            return word
    return None


def resolve(model: str, mapping: Mapping, default_mapping: Mapping) -> Resolution:
    """Where a requested name leads: rules top to bottom, then the family's slot, then the default.

    A slot the key leaves open is taken from the settings' `default_mapping`.
    """
    for rule in mapping.rules:
        if fnmatchcase(model, rule.match):
            return Resolution(rule.targets, rule=rule.match)
    family = family_of(model, (*mapping.slots, *default_mapping.slots))
    if family is not None:
        for source in (mapping, default_mapping):
            if family in source.slots:
                return Resolution(source.slots[family], slot=family)
    return Resolution(mapping.default, slot=family)
