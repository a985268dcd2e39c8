"""Records of synthetic citizens, as a provider answers them."""

from lienthong.api.population.v1.citizen_pb2 import BloodGroup, Citizen, RelatedPerson, Residence, ResidenceKind
from lienthong.api.types.v1.types_pb2 import Address, PartialDate, PersonName, Sex

LAN = "099190000001"
MAI = "099190000002"


def citizen(number: str = LAN) -> Citizen:
    """Return a record with something in every kind of dataset that tests withhold."""
    return Citizen(
        personal_number=number,
        name=PersonName(surname="Nguyễn", middle_name="Thị", given_name="Lan", full_name="Nguyễn Thị Lan"),
        birth_date=PartialDate(year=1990, month=3, day=14),
        sex=Sex.SEX_FEMALE,
        nationality="VN",
        ethnicity="Kinh",
        religion="Không",
        mother=RelatedPerson(personal_number=MAI, name=PersonName(full_name="Trần Thị Mai")),
        permanent_residence=Residence(
            kind=ResidenceKind.RESIDENCE_KIND_PERMANENT,
            address=Address(province_code="01", province_name="Thành phố Hà Nội", detail="Số 5, ngõ 12"),
        ),
        blood_group=BloodGroup.BLOOD_GROUP_AB,
    )
