"""What is in a message is counted before it is made."""

from hypothesis import given
from hypothesis import strategies as st

from lienthong.api.exchange.v1.administration_pb2 import GrantAccessRightRequest
from lienthong.api.exchange.v1.catalogue_pb2 import AccessRight, LegalBasis
from lienthong.api.population.v1.population_pb2 import GetCitizenResponse
from lienthong_gateway.contract.wire import has_more_fields
from tests.support.messages import add_unknown, containers, leaves, messages

TYPE = GetCitizenResponse.DESCRIPTOR


@given(message=messages(GetCitizenResponse))
def test_every_field_counts_at_any_depth(message: GetCitizenResponse) -> None:
    fields = len(list(leaves(message))) + len(list(containers(message))) - 1
    sent = message.SerializeToString()

    assert has_more_fields(sent, TYPE, fields - 1) == (fields > 0)
    assert not has_more_fields(sent, TYPE, fields)


@given(message=messages(GetCitizenResponse), number=st.integers(0, 9))
def test_what_protocol_buffers_take_can_be_counted_also_if_the_contract_does_not_know_it(
    message: GetCitizenResponse, number: int
) -> None:
    for inside in list(containers(message)):
        add_unknown(inside, number)

    assert has_more_fields(message.SerializeToString(), TYPE, 0)


def test_of_a_list_of_numbers_every_one_counts() -> None:
    right = AccessRight(legal_bases=[LegalBasis.LEGAL_BASIS_CONSENT] * 10)
    sent = GrantAccessRightRequest(access_right=right).SerializeToString()

    assert has_more_fields(sent, GrantAccessRightRequest.DESCRIPTOR, 10)
    assert not has_more_fields(sent, GrantAccessRightRequest.DESCRIPTOR, 11)
