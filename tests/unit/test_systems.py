"""Names of systems, in X-Road's way and in certificates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lienthong_core.systems import SystemId
from lienthong_seeds import members

parts = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", fullmatch=True)
systems = st.builds(SystemId, parts, parts, parts, parts)


@given(system=systems)
def test_a_system_is_found_again_in_its_text_and_in_its_spiffe_id(system: SystemId) -> None:
    assert SystemId.parse(str(system)) == system
    assert SystemId.from_spiffe_id(system.spiffe_id) == system


def test_the_form_is_instance_class_member_and_subsystem() -> None:
    assert str(members.POPULATION) == "VN-SANDBOX/GOV/G01/population"
    assert members.POPULATION.spiffe_id == "spiffe://sandbox.lienthong.test/VN-SANDBOX/GOV/G01/population"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "VN-SANDBOX/GOV/G01",
        "VN-SANDBOX/GOV/G01/population/more",
        "VN-SANDBOX/GOV//population",
        "VN-SANDBOX/GOV/../population",
        "VN-SANDBOX/GOV/G01/population\n",
        " VN-SANDBOX/GOV/G01/population",
        "VN-SANDBOX/GOV/G01/dân-cư",
        "VN-SANDBOX/GOV/G01/%70opulation",
        f"VN-SANDBOX/GOV/G01/{'p' * 64}",
    ],
)
def test_what_is_not_of_that_form_is_no_system(text: str) -> None:
    with pytest.raises(ValueError, match="is not a system id"):
        SystemId.parse(text)
    assert SystemId.from_spiffe_id(f"spiffe://sandbox.lienthong.test/{text}") is None


@pytest.mark.parametrize(
    "uri",
    [
        "spiffe://elsewhere.test/VN-SANDBOX/GOV/G01/population",
        "spiffe://sandbox.lienthong.test.elsewhere.test/VN-SANDBOX/GOV/G01/population",
        "SPIFFE://sandbox.lienthong.test/VN-SANDBOX/GOV/G01/population",
        "https://sandbox.lienthong.test/VN-SANDBOX/GOV/G01/population",
        "spiffe://sandbox.lienthong.test/VN-SANDBOX/GOV/G01/population?as=auditor",
        "VN-SANDBOX/GOV/G01/population",
    ],
)
def test_a_uri_of_another_trust_domain_or_form_names_no_system(uri: str) -> None:
    assert SystemId.from_spiffe_id(uri) is None


@given(uri=st.text())
def test_any_text_names_one_system_or_none(uri: str) -> None:
    system = SystemId.from_spiffe_id(uri)

    assert system is None or system.spiffe_id == uri
