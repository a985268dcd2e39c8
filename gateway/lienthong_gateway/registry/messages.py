"""What is registered, as the contract's messages."""

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message

from lienthong.api.exchange.v1 import administration_pb2
from lienthong.api.exchange.v1 import catalogue_pb2 as pb
from lienthong_core.dates import timestamp, whole_date
from lienthong_core.systems import SystemId
from lienthong_gateway.registration import AccessRight, LegalGround, Purpose


def purpose_message(purpose: Purpose) -> pb.Purpose:
    """Return a purpose as it is registered."""
    return pb.Purpose(
        code=purpose.code, title_vi=purpose.title_vi, title_en=purpose.title_en, datasets=sorted(purpose.datasets)
    )


def legal_ground_message(ground: LegalGround) -> pb.LegalGround:
    """Return a legal ground as it is registered."""
    return pb.LegalGround(
        code=ground.code,
        basis=ground.basis,
        law_vi=ground.law_vi,
        law_en=ground.law_en,
        reference_forms=sorted(ground.reference_forms),
        methods=sorted(ground.methods),
        purposes=sorted(ground.purposes),
        effective_from=whole_date(ground.period.first),
        effective_until=None if ground.period.last is None else whole_date(ground.period.last),
    )


def access_right_message(right: AccessRight, purpose: Purpose) -> pb.AccessRight:
    """Return a right as it is registered, with what its purpose is."""
    return pb.AccessRight(
        consumer=str(right.consumer),
        method=right.method,
        purpose=right.purpose,
        purpose_title_vi=purpose.title_vi,
        purpose_title_en=purpose.title_en,
        legal_bases=sorted(right.legal_bases),
        datasets=sorted(right.datasets),
        valid_from=whole_date(right.period.first),
        valid_until=None if right.period.last is None else whole_date(right.period.last),
        withdrawn_at=None if right.withdrawn_at is None else timestamp(right.withdrawn_at),
    )


def officer_message(system: SystemId, officer_id: str) -> administration_pb2.Officer:
    """Return an officer as registered."""
    return administration_pb2.Officer(system_id=str(system), officer_id=officer_id)


def canonical_text(message: Message) -> str:
    """Return a message that holds no fractions as canonical JSON (RFC 8785), with the contract's names."""
    said = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()
