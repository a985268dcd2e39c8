"""Before step 5, minimise: what the provider answered, and that it is about the citizen asked for."""

import grpc
from google.protobuf.message import DecodeError, Message

from lienthong_core.errors import Refusal
from lienthong_gateway.contracts import MethodContract


def read_answer(contract: MethodContract, answer: bytes, subject: str) -> Message:
    """Return a provider's answer about `subject`, the personal number that was asked for.

    Refused, INTERNAL: PROVIDER_ANSWER_INVALID, if it is no message of the method's type; PROVIDER_ANSWER_MISMATCH, if
    no field in which the contract lets an answer name its citizen holds that number.
    """
    try:
        message = contract.response_type.FromString(answer)
    except DecodeError as error:
        text = f"{contract.provider} answered with something that is not the method's response; nothing is released."
        raise Refusal(grpc.StatusCode.INTERNAL, "PROVIDER_ANSWER_INVALID", text) from error
    named = contract.answer_subjects
    if named and not any(subject in path.texts(message) for path in named):
        text = (
            f"{contract.provider} did not answer about the citizen who was asked for; nothing is released. "
            "Report the exchange id to whoever runs that system."
        )
        raise Refusal(grpc.StatusCode.INTERNAL, "PROVIDER_ANSWER_MISMATCH", text)
    return message
