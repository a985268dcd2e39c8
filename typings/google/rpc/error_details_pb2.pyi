# Types of the error details that are used: googleapis-common-protos ships none.

from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration
from google.protobuf.internal.containers import ScalarMap
from google.protobuf.message import Message

class ErrorInfo(Message):
    reason: str
    domain: str
    @property
    def metadata(self) -> ScalarMap[str, str]: ...
    def __init__(self, *, reason: str = ..., domain: str = ..., metadata: Mapping[str, str] | None = ...) -> None: ...

class RetryInfo(Message):
    @property
    def retry_delay(self) -> Duration: ...
    def __init__(self, *, retry_delay: Duration | None = ...) -> None: ...
