# Types of `google.rpc.ErrorInfo`, the one error detail that is used: googleapis-common-protos ships none.

from collections.abc import Mapping

from google.protobuf.internal.containers import ScalarMap
from google.protobuf.message import Message

class ErrorInfo(Message):
    reason: str
    domain: str
    @property
    def metadata(self) -> ScalarMap[str, str]: ...
    def __init__(self, *, reason: str = ..., domain: str = ..., metadata: Mapping[str, str] | None = ...) -> None: ...
