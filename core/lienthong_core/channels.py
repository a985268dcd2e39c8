"""How gRPC channels between the simulation's own programs are opened."""

DIRECT = (("grpc.enable_http_proxy", 0),)
"""Options of every channel: gRPC would send even calls to this machine to a proxy that the environment names."""
