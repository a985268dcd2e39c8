"""One start of a sandbox in this process: prints how many seconds it took until all four services answered.

python -m benchmarks.sandbox_start
"""

import time

from benchmarks.health import check
from lienthong_sandbox import Sandbox
from lienthong_seeds import members


def measure() -> float:
    """Return the seconds from the call of `Sandbox()` to the last of four answered health checks."""
    begun = time.perf_counter()
    with Sandbox() as vn:
        check(vn.endpoints.addresses.values(), vn.world.tls(members.YOUR_SYSTEM))
        return time.perf_counter() - begun


if __name__ == "__main__":
    print(f"{measure():.4f}")
