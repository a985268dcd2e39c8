"""Asking services whether they are ready to answer."""

from lienthong_core.health import is_serving
from lienthong_sandbox.world import World
from lienthong_seeds import members


def require_serving(world: World, address: str) -> None:
    """Return once the service at an address of this machine has said it is serving; raises RuntimeError if not."""
    if not is_serving(world.client_folder(members.YOUR_SYSTEM), int(address.rpartition(":")[2])):
        raise RuntimeError(f"{address} is not serving")
