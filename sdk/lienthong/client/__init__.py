"""What a client of the gateway needs beside the generated stubs.

An exchange, its receipt, and why there may be none::

    stub = PopulationServiceStub(channel)
    metadata = CallContext(purpose="1.004222", token=access_token).metadata()
    try:
        answer, call = stub.GetCitizen.with_call(request, metadata=metadata)
    except grpc.RpcError as error:
        print(explain(error).reason)
    else:
        print(Receipt.of(call.trailing_metadata()).log_index)
"""

from lienthong.client.consents import chain_fault
from lienthong.client.context import CallContext, Header
from lienthong.client.outcome import Explanation, Receipt, explain

__all__ = ["CallContext", "Explanation", "Header", "Receipt", "chain_fault", "explain"]
