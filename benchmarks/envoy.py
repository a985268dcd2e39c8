"""Envoy, one for both sides: it takes plain HTTP/2 from the load generator and adds the client's certificate."""

import json
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.load import ToolMissing
from benchmarks.processes import running
from lienthong_core.ports import reserved_port
from lienthong_sandbox.fabric import HOST

Json: TypeAlias = dict[str, Any]

_INSTALLED = Path(__file__).parent.parent / ".venv-bench" / "bin"
_TYPES = "type.googleapis.com/envoy.extensions"
CEILING = "ceiling"
"""The port at which nothing but load generator and Envoy is measured."""
CEILING_ANSWER = b"x" * 300
_NOTHING = "nothing"
_ANSWERING = {"direct_response": {"status": 200, "body": {"inline_string": CEILING_ANSWER.decode()}}}


@contextmanager
def adding_certificate(
    folder: Path, client: Path, server: Path, upstreams: Mapping[str, str]
) -> Generator[Mapping[str, int]]:
    """Run Envoy and give the port at which each of `upstreams` (`host:port` by name) is reached.

    `client` and `server` are folders with a certificate. One port more, CEILING, leads over the same mutual TLS to a
    listener of the same Envoy that answers at once: what load generator and Envoy can do by themselves.
    Raises ToolMissing if there is no Envoy.
    """
    program = shutil.which("envoy", path=f"{_INSTALLED}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        raise ToolMissing("envoy is neither in .venv-bench nor on PATH; `make bench` installs it")
    with ExitStack() as undo:
        names = (*upstreams, CEILING, _NOTHING)
        ports = {name: undo.enter_context(reserved_port(HOST, 0)) for name in names}
        targets = {**upstreams, CEILING: f"{HOST}:{ports[_NOTHING]}"}
        listeners = [_listener(name, ports[name], _route_to(name)) for name in targets]
        listeners.append(_listener(_NOTHING, ports[_NOTHING], _ANSWERING, _server_tls(server)))
        clusters = [_cluster(name, address, client) for name, address in targets.items()]
        config = folder / "envoy.json"
        resources = {"listeners": listeners, "clusters": clusters}
        config.write_text(json.dumps({"static_resources": resources}), encoding="utf-8")
        command = [program, "-c", str(config), "--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]
        undo.enter_context(running(command))
        yield {name: ports[name] for name in targets}


def _listener(name: str, port: int, route: Json, transport: Json | None = None) -> Json:
    host = {"name": name, "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **route}]}
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "codec_type": "HTTP2",
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [host]},
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"}},
        ],
    }
    chain: Json = {"filters": [{"name": "http", "typed_config": manager}]}
    if transport is not None:
        chain["transport_socket"] = transport
    return {"name": name, "address": _address(HOST, port), "filter_chains": [chain]}


def _route_to(cluster: str) -> Json:
    return {"route": {"cluster": cluster, "timeout": "10s"}}


def _cluster(name: str, address: str, client: Path) -> Json:
    host, _, port = address.rpartition(":")
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(host, int(port))}}]}]
    http: Json = {
        "@type": f"{_TYPES}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    context = {
        "@type": f"{_TYPES}.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": _certificates(client),
    }
    return {
        "name": name,
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
        "typed_extension_protocol_options": {f"{_TYPES.partition('/')[2]}.upstreams.http.v3.HttpProtocolOptions": http},
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context},
    }


def _server_tls(folder: Path) -> Json:
    context = {
        "@type": f"{_TYPES}.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": True,
        "common_tls_context": _certificates(folder),
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _certificates(folder: Path) -> Json:
    pair = {
        "certificate_chain": {"filename": str(folder / "tls.crt")},
        "private_key": {"filename": str(folder / "tls.key")},
    }
    return {
        "tls_certificates": [pair],
        "validation_context": {"trusted_ca": {"filename": str(folder / "ca.crt")}},
        "alpn_protocols": ["h2"],
    }


def _address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}
