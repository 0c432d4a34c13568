"""A file for each process that names the requests it has under way, for whoever finds it dead.

Strategy: a request is a line when it begins and another when its record is durable. Lines are handed to the system, not
synced: they outlive the process, and a machine that dies takes the file with it anyway. The process holds a lock on its
file as long as it lives; who gets the lock of another's knows that it is dead. Never raises but OSError.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_LARGEST = 4 * 1024 * 1024
"""A file longer than this is written anew, with what is under way."""
_BEGUN, _ENDED = b"+", b"-"


class Journal:
    """This process's file in a directory that it shares with others."""

    def __init__(self, directory: Path, process: str) -> None:
        self._path = directory / f"{process}.running"
        self._descriptor: int | None = None
        self._size = 0

    def open(self) -> None:
        """Makes the file and takes its lock."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._begin_anew({})

    def begin(self, request: str, line: bytes) -> None:
        """A request is under way from here on; the line tells of it."""
        self._append(_BEGUN + request.encode() + b" " + line)

    def end(self, request: str, running: Mapping[str, bytes]) -> None:
        """One is not any longer; `running` are those that still are."""
        self._append(_ENDED + request.encode())
        if self._size > _LARGEST:
            self._begin_anew(running)

    def close(self, *, keep: bool) -> None:
        """The process ends: the file goes, or is kept for others to find where something is still under way."""
        if self._descriptor is not None:
            if not keep:
                self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, line: bytes) -> None:
        if self._descriptor is None:
            raise OSError(f"{self._path} is not open")
        data = line + b"\n"
        if os.write(self._descriptor, data) != len(data):
            raise OSError(f"{self._path} cannot be written")
        self._size += len(data)

    def _begin_anew(self, running: Mapping[str, bytes]) -> None:
        # It gets its name when it is locked and whole, so that nobody takes it for a dead process's.
        former, beside = self._descriptor, self._path.with_suffix(".next")
        self._descriptor, self._size = _made(beside), 0
        for request, line in running.items():
            self.begin(request, line)
        beside.rename(self._path)
        if former is not None:
            os.close(former)


@dataclass(frozen=True)
class Left:
    """What a dead process has left: the lines of requests that it did not end, and when it gave its last sign."""

    process: str
    lines: list[bytes]
    last_sign: datetime
    path: Path

    def forget(self) -> None:
        """All of them have their rows."""
        self.path.with_suffix(".next").unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


@contextmanager
def left_by_the_dead(directory: Path) -> Iterator[list[Left]]:
    """The files of dead processes, for the caller alone until the context ends."""
    held: list[int] = []
    try:
        found = []
        for path in sorted(directory.glob("*.running")):
            descriptor = _taken(path)
            if descriptor is not None:
                held.append(descriptor)
                found.append(_read(path, descriptor))
        yield found
    finally:
        for descriptor in held:
            os.close(descriptor)


def _made(path: Path) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _taken(path: Path) -> int | None:
    """The open file of a dead process; None where it lives, or where somebody else has it or is done with it."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A file that was replaced or removed meanwhile is nobody's.
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def _read(path: Path, descriptor: int) -> Left:
    running: dict[bytes, bytes] = {}
    last_sign = datetime.fromtimestamp(os.fstat(descriptor).st_mtime, UTC)
    for line in path.read_bytes().split(b"\n"):
        request, _, told = line[1:].partition(b" ")
        if line.startswith(_ENDED):
            running.pop(request, None)
        elif line.startswith(_BEGUN):
            running[request] = told
    return Left(path.stem, list(running.values()), last_sign, path)
