"""The real Claude Code works on every platform: reads a file, edits it, runs a command, and goes on elsewhere."""

import tempfile
from pathlib import Path

import pytest
from tests.cli.claude_code import ConnectSink, run_claude, why_missing
from tests.platforms.cases import CASES, Case
from tests.platforms.running import Emulators
from tests.services import RunningRouter

pytestmark = [pytest.mark.cli, pytest.mark.skipif(why_missing() is not None, reason=str(why_missing()))]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_claude_code_reads_edits_and_runs(
    router: RunningRouter, emulators: Emulators, sink: ConnectSink, case: Case
) -> None:
    """Three calls one after another, each answered by the program; the file is changed, the platform content."""
    emulator = emulators.of(case.emulator)
    secret = router.new_key({"default": [case.target(router, emulator)]})
    with tempfile.TemporaryDirectory(prefix="ccr-loop-") as work:
        note = Path(work) / "note.txt"
        note.write_text("six times nine\n")
        # The program adds `replace_all` where it is missing, and some signatures hold arguments to the letter.
        edit = {"file_path": str(note), "old_string": "nine", "new_string": "seven", "replace_all": False}
        emulator.calls = [
            ("Read", {"file_path": str(note)}),
            ("Edit", edit),
            ("Bash", {"command": f"cat {note} > {work}/copy.txt", "description": "Copy the note"}),
        ]
        emulator.script("tool_call", "tool_call", "tool_call", "text")
        outcome = run_claude(router.base_url, secret, sink, prompt="Correct the note.")
        assert (outcome.exit_code, outcome.document["is_error"]) == (0, False), outcome
        assert outcome.document["result"]
        assert (Path(work) / "copy.txt").read_text() == "six times seven\n"
    assert emulator.violations == []
    rows = router.rows(secret, expect=4)
    assert {(row["platform"], row["status"]) for row in rows if row["kind"] == "messages"} == {(case.platform, "ok")}


def test_a_conversation_of_claude_code_changes_platform(
    router: RunningRouter, emulators: Emulators, sink: ConnectSink
) -> None:
    """Begun with opus on one platform, with a call and thinking, continued with sonnet and haiku on others."""
    labelled = {case.label: case for case in CASES}
    steps = {"opus": "gemini", "sonnet": "bedrock, Claude", "haiku": "openai, Chat (DeepSeek)"}
    cases = {name: labelled[label] for name, label in steps.items()}
    running = {name: emulators.of(case.emulator) for name, case in cases.items()}
    secret = router.new_key({name: [case.target(router, running[name])] for name, case in cases.items()})
    with tempfile.TemporaryDirectory(prefix="ccr-home-") as home, tempfile.TemporaryDirectory() as work:
        running["opus"].calls = [("Bash", {"command": "echo one", "description": "Say one"})]
        running["opus"].script("tool_call", "text")
        for number, name in enumerate(cases):
            arguments = ("--model", name, *(("--continue",) if number else ()))
            outcome = run_claude(
                router.base_url, secret, sink, prompt=f"Step {number}.", arguments=arguments, home=home, work=work
            )
            assert (outcome.exit_code, outcome.document["is_error"]) == (0, False), outcome
            assert outcome.document["result"]
            assert running[name].violations == []
    rows = router.rows(secret, expect=4)
    assert [row["platform"] for row in reversed(rows)][-2:] == [cases["sonnet"].platform, cases["haiku"].platform]
