"""What is done beside the requests: chores that come round now and then, once for all processes.

`ccrouter serve` runs them in threads; on AWS a schedule calls `Worker.run_due`. A new chore is a module here with its
function, and a line in `chores.py`.
"""

from ccrouter.worker.chore import Chore
from ccrouter.worker.worker import Worker

__all__ = ["Chore", "Worker"]
