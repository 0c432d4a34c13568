"""A signal that comes while Python runs a finalizer: what the handler raises there is dropped, the wish is not."""

import signal

import pytest

from ccrouter.cli import serve


class _Signalled:
    """Raises a signal when it is collected."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_in_a_finalizer_is_remembered() -> None:
    """The start goes on to where the event is looked at."""
    before = {number: signal.getsignal(number) for number in (*serve._STOP_SIGNALS, signal.SIGHUP)}
    try:
        asked = serve._await_stop_signals()
        assert not asked.is_set()
        doomed = _Signalled()
        del doomed
        assert asked.is_set()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
