"""The process in which one subject is measured: prepares it, times its work, prints the cost as JSON.

Started by `harness.in_child`; nothing else belongs here.
"""

import importlib
import json
import re
import sys
import time
from pathlib import Path


def main(order: str) -> None:
    """Measure what the order names."""
    asked = json.loads(order)
    subject = getattr(importlib.import_module(asked["module"]), asked["function"])
    work = subject(**asked["arguments"])
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "megabytes": _peak_megabytes()}))


def _peak_megabytes() -> float:
    """The peak of resident memory; `getrusage` would also count that of the parent until exec."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert found is not None
    return int(found[1]) / 1024


if __name__ == "__main__":
    main(sys.argv[1])
