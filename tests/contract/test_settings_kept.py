"""Settings as PostgreSQL keeps them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from ccrouter.credentials.vault import Vault, new_master_key, read_master_key
from ccrouter.errors import SettingsError
from ccrouter.storage import settings


def test_a_setting_is_what_was_put_last(engine: Engine) -> None:
    """Anything that JSON holds."""
    assert settings.get(engine, "x") is None
    settings.put(engine, "x", {"a": [1, "é"]})
    settings.put(engine, "x", [False])
    assert settings.get(engine, "x") == [False]
    assert not settings.put_if_absent(engine, "x", 1)
    assert settings.put_if_absent(engine, "y", 1)


def test_of_many_who_set_one_does(engine: Engine) -> None:
    """First come, first served."""
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda n: settings.put_if_absent(engine, "x", n), range(8))).count(True) == 1


def test_a_database_is_bound_to_its_master_key(engine: Engine, vault: Vault) -> None:
    """The first start binds it; a start with another key ends with a sentence."""
    settings.check_master_key(engine, vault)
    settings.check_master_key(engine, vault)
    with pytest.raises(SettingsError, match="CCR_MASTER_KEY is not the key"):
        settings.check_master_key(engine, Vault(read_master_key(new_master_key())))
