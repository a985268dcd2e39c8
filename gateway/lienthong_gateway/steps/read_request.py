"""Before step 3, decide: what the request says, and that it says one thing only, whoever reads it."""

from typing import NamedTuple

from lienthong_core.personal_numbers import check_personal_number
from lienthong_gateway.contract.methods import MethodContract
from lienthong_gateway.contract.request_bytes import read_once


class ReadRequest(NamedTuple):
    """A request that has been read."""

    subject: str
    """Personal number of the citizen that it is about; empty if the method is about nobody in particular."""
    canonical: bytes
    """What is forwarded: the gateway's own bytes, so that the provider reads what was decided on and nothing else."""


def read_request(contract: MethodContract, request: bytes) -> ReadRequest:
    """Return what a request says.

    Refused: as `read_once` says, and PERSONAL_NUMBER_INVALID.
    """
    reading = read_once(contract.request_type, contract.subject, request)
    subject = contract.subject_of(reading.message)
    if contract.policy.subject:
        check_personal_number(subject)
    return ReadRequest(subject, reading.canonical)
