"""A file in which records wait while the database is away."""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ccrouter.metering.record import decode_record

_CHUNK = 500


class Outbox:
    """Records as JSON lines in a directory, safe for several processes; each call blocks, so call it from a thread.

    `outbox.jsonl` takes new lines, `outbox.replaying.jsonl` is what is being replayed, `outbox.bad.jsonl` keeps what
    cannot be read or stored, for a person to look at.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._waiting = directory / "outbox.jsonl"
        self._replaying = directory / "outbox.replaying.jsonl"
        self._bad = directory / "outbox.bad.jsonl"

    def append(self, lines: Sequence[bytes]) -> None:
        """Adds records; returns when they are on the disk. Raises OSError."""
        self._write(self._waiting, lines)

    def set_aside(self, lines: Sequence[bytes]) -> None:
        """Keeps lines that will never be stored. Raises OSError."""
        self._write(self._bad, lines)

    def has_any(self) -> bool:
        """Whether records wait."""
        return self._waiting.exists() or self._replaying.exists()

    def size(self) -> int:
        """How many bytes wait."""
        return sum(file.stat().st_size for file in (self._waiting, self._replaying) if file.exists())

    def replay(self, store: Callable[[Sequence[bytes]], None]) -> tuple[int, int]:
        """Stores what waits, in portions, and forgets it then; returns how many were stored and how many set aside.

        Whatever `store` raises passes through and nothing is lost: the next replay begins anew, and storing a record
        twice is harmless. A line that a crash cut off is set aside.
        """
        if not self.has_any():
            return 0, 0
        with self._locked("replay.lock"):
            if not self._replaying.exists():
                with self._locked("append.lock"):
                    if not self._waiting.exists():
                        return 0, 0
                    self._waiting.rename(self._replaying)
            good: list[bytes] = []
            bad: list[bytes] = []
            for line in self._replaying.read_bytes().split(b"\n"):
                if line:
                    (good if _is_record(line) else bad).append(line)
            for start in range(0, len(good), _CHUNK):
                store(good[start : start + _CHUNK])
            if bad:
                self.set_aside(bad)
            self._replaying.unlink()
        return len(good), len(bad)

    def _write(self, path: Path, lines: Sequence[bytes]) -> None:
        self._make_directory()
        with self._locked("append.lock"):
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                # A line that a crash cut off must not swallow the first of these: each batch begins on a new line.
                data = memoryview(b"\n" + b"\n".join(lines) + b"\n")
                while data:
                    data = data[os.write(descriptor, data) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _make_directory(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self._directory / name).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _is_record(line: bytes) -> bool:
    try:
        decode_record(line)
    except msgspec.DecodeError:
        return False
    return True
