"""What members may do with keys of their own."""

from typing import Any

import pytest

from ccrouter.admin.member_rules import check_new_keys, member_fields
from ccrouter.admin.problems import Problem
from ccrouter.clock import utc_now
from ccrouter.ids import uuid7
from ccrouter.storage.site_settings import MemberRules
from ccrouter.storage.users import User


def a_member(**fields: Any) -> User:
    """Somebody without anything."""
    values = {
        "id": str(uuid7()), "login": "ada", "name": None, "role": "member", "status": "active", "language": None,
        "theme": None, "created_at": utc_now(), "last_seen_at": None, "updated_at": utc_now(),
    }  # fmt: skip
    return User(**(values | fields))


def refused(rules: MemberRules, fields: dict[str, Any], member: User | None = None) -> str:
    """The field at fault."""
    with pytest.raises(Problem) as caught:
        member_fields(rules, member or a_member(), fields, new=True)
    assert caught.value.status == 422
    return caught.value.errors[0].field


@pytest.mark.parametrize(
    ("rules", "held", "status"),
    [
        (MemberRules(may_create_keys=False), 0, 403),
        (MemberRules(max_keys=2), 2, 409),
        (MemberRules(max_keys=0), 0, 409),
        (MemberRules(max_keys=2), 3, 409),
    ],
)
def test_a_key_too_many_is_refused(rules: MemberRules, held: int, status: int) -> None:
    """Also one that is only one of several."""
    with pytest.raises(Problem) as caught:
        check_new_keys(rules, held)
    assert caught.value.status == status


def test_keys_up_to_the_bound_are_made() -> None:
    """The last one included, one by one or together."""
    check_new_keys(MemberRules(max_keys=2), 1)
    check_new_keys(MemberRules(max_keys=2), 0, more=2)
    with pytest.raises(Problem):
        check_new_keys(MemberRules(max_keys=2), 0, more=3)


def test_without_rules_a_mapping_is_the_members_choice() -> None:
    """And what is not named is not touched."""
    mapping = {"opus": [{"platform": "bedrock", "model": "m"}]}
    assert member_fields(MemberRules(), a_member(), {"name": "k", "mapping": mapping}, new=True)["mapping"] == mapping
    assert member_fields(MemberRules(), a_member(), {"name": "k"}, new=False) == {"name": "k"}


def test_a_given_mapping_is_every_keys() -> None:
    """A new key has it; another one is refused; the same one is no fault."""
    given = {"default": [{"platform": "bedrock", "model": "m"}]}
    rules = MemberRules(mapping=given)
    assert member_fields(rules, a_member(), {"name": "k"}, new=True)["mapping"] == given
    assert member_fields(rules, a_member(), {"mapping": given}, new=False)["mapping"] == given
    assert member_fields(rules, a_member(), {"mapping": {}}, new=False)["mapping"] == given
    assert "mapping" not in member_fields(rules, a_member(), {"name": "k"}, new=False)
    assert refused(rules, {"mapping": {"default": []}}) == "mapping"


def test_a_member_names_allowed_platforms_only() -> None:
    """In slots, rules and the default."""
    rules = MemberRules(allowed_platforms=["kiro"])
    bedrock = [{"platform": "kiro", "model": "m"}, {"platform": "bedrock", "model": "m"}]
    assert refused(rules, {"mapping": {"opus": bedrock}}) == "mapping.opus[1].platform"
    assert refused(rules, {"mapping": {"default": bedrock}}) == "mapping.default[1].platform"
    assert refused(rules, {"mapping": {"rules": [{"match": "*", "targets": bedrock}]}}).endswith("targets[1].platform")


def test_names_do_not_pass_to_a_platform_that_is_not_allowed() -> None:
    """Without a default they would go to Anthropic."""
    kiro = [{"platform": "kiro", "model": "m"}]
    for allowed, default in ((["kiro"], []), (["kiro", "anthropic"], None)):
        made = member_fields(MemberRules(allowed_platforms=allowed), a_member(), {"mapping": {"opus": kiro}}, new=True)
        assert made["mapping"].get("default") == default
        made = member_fields(MemberRules(allowed_platforms=allowed), a_member(), {}, new=True)
        assert made["mapping"].get("default") == default


@pytest.mark.parametrize("credential_id", ["01890a5d-ac96-774b-bcce-b302099a8057", "x"])
def test_a_member_pins_no_credential(credential_id: str) -> None:
    """Whether or not there is such a one."""
    pinned = [{"platform": "kiro", "model": "m", "credential_id": credential_id}]
    assert refused(MemberRules(), {"mapping": {"opus": pinned}}) == "mapping.opus[0].credential_id"


def test_a_keys_limit_is_not_above_its_owners() -> None:
    """Member by member; what the owner has no limit for, a key may have."""
    member = a_member(limits={"rpm": 60, "spend": {"month": "50"}})
    within = {"limits": {"rpm": 60, "tpm": 10**6, "spend": {"month": "49.99", "day": "70"}}}
    assert member_fields(MemberRules(), member, within, new=True)["limits"] == within["limits"]
    assert refused(MemberRules(), {"limits": {"rpm": 61}}, member) == "limits.rpm"
    assert refused(MemberRules(), {"limits": {"spend": {"month": "50.01"}}}, member) == "limits.spend.month"


def test_a_mapping_that_cannot_be_read_is_named() -> None:
    """As for everybody."""
    assert refused(MemberRules(), {"mapping": {"opus": "bedrock"}}) == "mapping.opus"
