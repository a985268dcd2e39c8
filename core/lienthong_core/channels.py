"""How gRPC channels between the simulation's own programs are opened."""

DIRECT = (("grpc.enable_http_proxy", 0),)
"""Options of every channel: gRPC would send even calls to this machine to a proxy that the environment names."""

SOON_BACK = (*DIRECT, ("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1_000))
"""Those of a service's channel to the gateway: who tries again a moment after it came back should find it back."""
