"""One start of a sandbox in this process: prints how many seconds it took until all four services answered.

python -m benchmarks.sandbox_start
"""

import time

from benchmarks.ready import require_serving
from lienthong_sandbox import Sandbox


def measure() -> float:
    """Return the seconds from the call of `Sandbox()` to the last of four answered health checks."""
    begun = time.perf_counter()
    with Sandbox() as vn:
        for address in vn.endpoints.addresses.values():
            require_serving(vn.world, address)
        return time.perf_counter() - begun


if __name__ == "__main__":
    print(f"{measure():.4f}")
