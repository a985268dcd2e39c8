"""Before step 5, minimise: what the provider answered, and that it is about the citizen asked for."""

import grpc
from google.protobuf.message import DecodeError, Message

from lienthong_core.errors import Refusal
from lienthong_core.personal_numbers import is_personal_number
from lienthong_gateway.contract.methods import MethodContract


def read_answer(contract: MethodContract, answer: bytes, subject: str) -> Message:
    """Return a provider's answer about `subject`, the personal number that was asked for.

    Refused, INTERNAL: PROVIDER_ANSWER_INVALID, if it is no message of the method's type; PROVIDER_ANSWER_MISMATCH, if
    no field in which the contract lets an answer name its citizen holds that number.
    """
    try:
        message = contract.response_type.FromString(answer)
    except DecodeError as error:
        text = f"{contract.provider} answered with something that is not the method's response; it is not released."
        raise Refusal(grpc.StatusCode.INTERNAL, "PROVIDER_ANSWER_INVALID", text) from error
    named = contract.answer_subjects
    if named and not any(subject in path.texts(message) for path in named):
        text = (
            f"{contract.provider} did not answer about the citizen who was asked for; that answer is not released. "
            "Report the exchange id to whoever runs that system."
        )
        raise Refusal(grpc.StatusCode.INTERNAL, "PROVIDER_ANSWER_MISMATCH", text)
    return message


def present_number(contract: MethodContract, answer: Message, subject: str) -> str:
    """Return the personal number that the citizen an answer is about has now; `subject`, if the answer does not say."""
    numbers = (path.texts(answer)[0] for path in contract.answer_subjects if path.is_single)
    return next(filter(is_personal_number, numbers), subject)
