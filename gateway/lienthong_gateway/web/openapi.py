"""The OpenAPI 3.1 document of every method that can be called through the gateway, made from the contracts."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from lienthong.api.options.v1.options_pb2 import AccessKind
from lienthong.client.context import Header
from lienthong_core.contracts import declared_datasets
from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.registration import LEGAL_BASIS_HEADERS
from lienthong_gateway.web.codecs import MethodTypes
from lienthong_gateway.web.schemas import Schemas

_ABOUT = """\
SIMULATION: every person in it is synthetic, and no real system is contacted. Each method is the Connect protocol's
unary form of the gRPC method of the same name, with the same checks, errors and log. Connect with the client
certificate of a registered system."""
_CALLERS_HEADERS = (
    (Header.MESSAGE_ID, False, "The caller's own id of the message; recorded."),
    (Header.CLIENT, False, "The calling system's id; if sent, it must agree with the certificate."),
)
_EXCHANGE_HEADERS = (
    (Header.PURPOSE, True, "Purpose code."),
    (Header.LEGAL_BASIS, False, "Legal basis; left out: consent."),
    (Header.LEGAL_REFERENCE, False, "What the basis is invoked for, such as a dossier; required unless it is consent."),
    (Header.OFFICER, False, "The officer who acts; required unless the basis is consent."),
    (Header.REPRESENTED_PARTY, False, "Whom the calling system acts for, such as `GOV/G09`; left out: its own member."),
    *_CALLERS_HEADERS,
)
_LOCAL_HEADERS = (
    (Header.OFFICER, False, "The officer who acts; required to change what is registered."),
    *_CALLERS_HEADERS,
)
_PROTOCOL_HEADERS = (
    ("Connect-Protocol-Version", {"type": "string", "const": "1"}, "Version of the Connect protocol."),
    ("Connect-Timeout-Ms", {"type": "string", "pattern": "^[0-9]{1,10}$"}, "How long the caller waits, milliseconds."),
    ("traceparent", {"type": "string"}, "W3C Trace Context; carried to the provider."),
)
_TRAILERS = (
    (Header.EXCHANGE_ID, "The gateway's id of the exchange."),
    (Header.LOG_INDEX, "Place of the entry in the exchange log."),
    (Header.REQUEST_HASH, "SHA-256 of the request in binary form, hex."),
    (Header.DIGEST_KEY, "Key, hex, with which the log's digests of this request and answer can be made again."),
    (Header.DATASETS_RELEASED, "Datasets that were released, separated by commas."),
    (Header.DATASETS_WITHHELD, "The other datasets that the method can answer, held by the provider or not."),
)
_RETRY_AFTER = {
    "description": "Seconds to wait before the call is made again; only where a limit is reached.",
    "schema": {"type": "integer", "minimum": 0},
}
_ERROR = {
    "type": "object",
    "description": "A refusal, as the Connect protocol writes it.",
    "required": ["code"],
    "properties": {
        "code": {"type": "string", "description": "gRPC status in lower case, such as permission_denied."},
        "message": {"type": "string", "description": "What to do, for people."},
        "details": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "value"],
                "properties": {
                    "type": {"type": "string", "examples": ["google.rpc.ErrorInfo"]},
                    "value": {"type": "string", "description": "The detail in binary form, base64 without padding."},
                    "debug": {"description": "The detail in JSON; `reason` is stable, see docs/errors.md."},
                },
            },
        },
    },
}
_PROBLEM = {
    "type": "object",
    "description": "What is no call at all, such as another content type: a problem document (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What to do, for people."},
        "reason": {"type": "string", "description": "Stable, see docs/errors.md; not every problem has one."},
    },
}
_SECURITY_SCHEMES = {
    "certificate": {"type": "mutualTLS", "description": "Certificate of a registered system."},
    "citizen": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The citizen's access token, bound to the certificate. On consent it may be left out while "
        "she is away: the account level is then that of her approval.",
    },
}


def openapi_document(contracts: Mapping[str, MethodContract], types: Mapping[str, MethodTypes]) -> dict[str, Any]:
    """Return the document, but for where it is served; `types` are all methods, `contracts` providers', by path."""
    schemas = Schemas(declared_datasets())
    paths = {path: {"post": _operation(path, types[path], contracts.get(path), schemas)} for path in sorted(types)}
    schemas.components["connect.error"] = _ERROR
    schemas.components["problem"] = _PROBLEM
    return {
        "openapi": "3.1.0",
        "info": {"title": "Liên Thông gateway (SIMULATION)", "version": version("lienthong"), "description": _ABOUT},
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": _SECURITY_SCHEMES},
    }


def _operation(path: str, types: MethodTypes, contract: MethodContract | None, schemas: Schemas) -> dict[str, Any]:
    service, method = path.lstrip("/").split("/")
    headers = _EXCHANGE_HEADERS if contract else _LOCAL_HEADERS
    trailers = {f"Trailer-{name}": _described(about) for name, about in _TRAILERS}
    operation: dict[str, Any] = {
        "operationId": f"{service}.{method}",
        "summary": re.sub("(?<!^)(?=[A-Z])", " ", method).capitalize(),
        "tags": [service],
        "parameters": [
            *(_header(name, about, _value_of(name), required=needed) for name, needed, about in headers),
            *(_header(name, about, schema) for name, schema, about in _PROTOCOL_HEADERS),
        ],
        "security": [{"certificate": []}, {"certificate": [], "citizen": []}],
        "requestBody": {"required": True, "content": _content(schemas.reference(types.request))},
        "responses": {
            "200": {
                "description": "What was released.",
                "headers": trailers,
                "content": _content(schemas.reference(types.response)),
            },
            "default": {
                "description": "Refused; `code` and the reason in `details` say why.",
                "headers": {**trailers, "Retry-After": _RETRY_AFTER},
                "content": {
                    **_content({"$ref": "#/components/schemas/connect.error"}),
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}},
                },
            },
        },
    }
    if contract is not None:
        policy = contract.policy
        operation["summary"] = f"{policy.title_vi} · {policy.title_en}"
        operation["x-lienthong-provider"] = str(contract.provider)
        operation["x-lienthong-access"] = AccessKind.Name(policy.access).removeprefix("ACCESS_KIND_")
        operation["x-lienthong-account-level"] = policy.account_level
        operation["x-lienthong-datasets"] = list(contract.datasets)
    return operation


def _header(name: str, about: str, schema: Mapping[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": str(name), "in": "header", "required": required, "description": about, "schema": schema}


def _value_of(name: str) -> Mapping[str, Any]:
    if name == Header.LEGAL_BASIS:
        return {"type": "string", "enum": list(LEGAL_BASIS_HEADERS)}
    return {"type": "string", "maxLength": 128}


def _described(about: str) -> dict[str, Any]:
    return {"description": about, "schema": {"type": "string"}}


def _content(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
