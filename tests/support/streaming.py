"""A provider whose one method, `Follow`, answers with a stream: its contract and its double."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from lienthong.api.options.v1 import options_pb2
from lienthong.api.options.v1.options_pb2 import AccessKind, FieldPolicy, MethodPolicy
from lienthong_core.certificates import TlsIdentity
from lienthong_core.rpc import RpcServer
from lienthong_core.systems import SystemId

SERVICE = "lienthong.test.stream.v1.FollowService"
FOLLOW = f"/{SERVICE}/Follow"
_PACKAGE = SERVICE.rpartition(".")[0]
_LONGEST_S = 15.0


def stream_contract() -> FileDescriptor:
    """Return the contract: `Follow(personal_number)` answers a stream of records of the citizen.

    A record has her `personal_number` and `name` (identity.basic), and her `kin` (family).
    """
    file = FileDescriptorProto(name="lienthong/test/stream/v1/stream.proto", package=_PACKAGE, syntax="proto3")
    file.dependency.append("lienthong/api/options/v1/options.proto")
    _message(file, "FollowRequest", personal_number=None)
    basic, family = FieldPolicy(dataset="identity.basic"), FieldPolicy(dataset="family")
    answer = {"personal_number": basic, "name": basic, "kin": family}
    _message(file, "FollowResponse", **answer)
    method = file.service.add(name="FollowService").method.add(
        name="Follow",
        input_type=f".{_PACKAGE}.FollowRequest",
        output_type=f".{_PACKAGE}.FollowResponse",
        server_streaming=True,
    )
    policy = MethodPolicy(subject="personal_number", account_level=2, access=AccessKind.ACCESS_KIND_READ)
    policy.answer_subject.append("personal_number")
    policy.title_vi, policy.title_en = "Theo dõi", "Follow"
    method.options.Extensions[options_pb2.method].CopyFrom(policy)
    return descriptor_pool.Default().AddSerializedFile(file.SerializeToString())


def message(of_type: str, /, **fields: str) -> Any:  # noqa: ANN401 (a class made at run time)
    """Return a message of the contract."""
    descriptor = stream_contract().message_types_by_name[of_type]
    return message_factory.GetMessageClass(descriptor)(**fields)


def name_in(answer: bytes) -> str:
    """Return the name that a serialized `FollowResponse` holds."""
    read = message("FollowResponse")
    read.ParseFromString(answer)
    return str(read.name)


def _message(file: FileDescriptorProto, of_type: str, /, **fields: FieldPolicy | None) -> None:
    made = file.message_type.add(name=of_type)
    for number, (field_name, policy) in enumerate(fields.items(), start=1):
        of = FieldDescriptorProto(name=field_name, number=number, type=FieldDescriptorProto.TYPE_STRING)
        of.label = FieldDescriptorProto.LABEL_OPTIONAL
        if policy is not None:
            of.options.Extensions[options_pb2.field].CopyFrom(policy)
        made.field.append(of)


@dataclass
class FollowDouble:
    """Answers `Follow` with messages, of which all after the first wait until they are let through, or refuses."""

    answers: Sequence[Any]
    go_on: threading.Event = field(default_factory=threading.Event)

    def server(self, address: str, tls: TlsIdentity, gateway: SystemId) -> RpcServer:
        """Return a server that accepts the gateway alone."""
        return RpcServer(address, tls, [], self._register, lambda caller: caller == gateway)

    def _register(self, server: grpc.Server) -> None:
        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_stream_rpc_method_handler(
            self._follow, request_deserializer=bytes
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Follow": handler}),))

    def _follow(self, _request: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
        for number, answer in enumerate(self.answers):
            if number:
                self.go_on.wait(_LONGEST_S)
            if isinstance(answer, Exception):
                raise answer
            yield answer.SerializeToString()
