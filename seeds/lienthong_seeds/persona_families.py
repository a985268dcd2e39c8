"""The personas with their families, household by household. Nothing here is drawn: they are the same in every world."""

from datetime import date

from lienthong.api.population.v1.citizen_pb2 import (
    LIFE_STATUS_DECEASED,
    LIFE_STATUS_MISSING,
    MARITAL_STATUS_DIVORCED,
    MARITAL_STATUS_WIDOWED,
    NUMBER_CHANGE_REASON_BIRTH_YEAR_CORRECTED,
    RESIDENCE_KIND_TEMPORARY,
)
from lienthong.api.types.v1.types_pb2 import SEX_FEMALE, SEX_MALE
from lienthong_seeds.accounts import LOCKED_ON_REQUEST
from lienthong_seeds.numbers import NumberRegister
from lienthong_seeds.people import (
    CHILD,
    DAUGHTER_IN_LAW,
    HEAD,
    HUSBAND,
    MOTHER,
    SONS_CHILD,
    WIFE,
    CancelledNumber,
    Household,
    Relative,
    Stay,
    adopt_parents,
    marry,
)
from lienthong_seeds.persona_cast import Cast
from lienthong_seeds.reference import Reference

FIRST_OTHER_HOUSEHOLD = 1_001
"""Serial of the first household that is no persona's."""


def persona_households(reference: Reference, numbers: NumberRegister) -> list[Household]:
    """Return the households of all personas, in their order; their numbers are taken from then on."""
    cast = Cast(reference, numbers)
    return [
        _mai(cast), _binh(cast), _lanh(cast), _tuyen(cast), _gia_han(cast), _phuoc(cast), _tho(cast), _nga(cast),
        _hoa(cast), _blok(cast), _pao(cast), _lich(cast), _loc(cast), _anna(cast), _loan(cast), _thom(cast),
    ]  # fmt: skip


def _mai(cast: Cast) -> Household:
    mai = cast.persona("nguyen-thi-mai")
    mai.religion = "Phật giáo"
    mai.father = Relative("", "Nguyễn", "Đức", "Thiện")
    mai.mother = Relative("", "Phạm", "Thị", "Tươi")
    khoi = cast.relative("Trần Minh Khôi", SEX_MALE, "1988-07-02", 101)
    marry(khoi, mai)
    son = cast.relative("Trần Gia Bảo", SEX_MALE, "2015-09-12", 102)
    daughter = cast.relative("Trần Tường Vy", SEX_FEMALE, "2019-04-25", 103)
    for child in (son, daughter):
        adopt_parents(child, khoi, mai)
        child.representative = child.mother
    members = [(khoi, HEAD), (mai, WIFE), (son, CHILD), (daughter, CHILD)]
    return cast.household(1, "00004", "Số 18, tổ dân phố 7", "2014-06-20", members)


def _binh(cast: Cast) -> Household:
    binh = cast.persona("pham-huu-binh")
    wife = cast.relative("Đoàn Thị Nhài", SEX_FEMALE, "1978-02-14", 111)
    marry(binh, wife)
    return cast.household(2, "13684", "Số 5, tổ dân phố 2", "2003-05-11", [(binh, HEAD), (wife, WIFE)])


def _lanh(cast: Cast) -> Household:
    lanh = cast.persona("vo-thi-lanh")
    lanh.marital_status = MARITAL_STATUS_WIDOWED
    return cast.household(3, "30307", "Số 77, khu phố 4", "1988-03-01", [(lanh, HEAD)])


def _tuyen(cast: Cast) -> Household:
    tuyen = cast.persona("hoang-manh-tuyen", locked_on=date(2026, 5, 20), why=LOCKED_ON_REQUEST)
    return cast.household(4, "06685", "Số 31, tổ dân phố 9", "2012-10-08", [(tuyen, HEAD)])


def _gia_han(cast: Cast) -> Household:
    child = cast.persona("le-gia-han")
    father = cast.relative("Lê Quang Khải", SEX_MALE, "1986-08-16", 121)
    mother = cast.relative("Đỗ Thị Hạnh", SEX_FEMALE, "1990-01-22", 122)
    marry(father, mother)
    adopt_parents(child, father, mother)
    child.representative = child.mother
    return cast.household(
        5, "14797", "Số 9, tổ dân phố 3", "2016-12-24", [(father, HEAD), (mother, WIFE), (child, CHILD)]
    )


def _phuoc(cast: Cast) -> Household:
    phuoc = cast.persona("huynh-van-phuoc")
    phuoc.religion = "Phật giáo Hòa Hảo"
    mother = cast.relative("Trần Thị Sen", SEX_FEMALE, "1930", 131)
    mother.marital_status = MARITAL_STATUS_WIDOWED
    adopt_parents(phuoc, None, mother)
    wife = cast.relative("Lâm Thị Cúc", SEX_FEMALE, "1953-09-03", 132)
    marry(phuoc, wife)
    son = cast.relative("Huỳnh Thanh Tâm", SEX_MALE, "1976-01-19", 133)
    daughter = cast.relative("Huỳnh Thị Bé", SEX_FEMALE, "1983-11-28", 134)
    for child in (son, daughter):
        adopt_parents(child, phuoc, wife)
    sons_wife = cast.relative("Nguyễn Thị Út", SEX_FEMALE, "1979-05-30", 135)
    marry(son, sons_wife)
    grandchildren = [
        cast.relative("Huỳnh Minh Trí", SEX_MALE, "2003-08-08", 136),
        cast.relative("Huỳnh Ngọc Hân", SEX_FEMALE, "2007-03-27", 137),
        cast.relative("Huỳnh Gia Phúc", SEX_MALE, "2014-12-01", 138),
    ]
    for grandchild in grandchildren:
        adopt_parents(grandchild, son, sons_wife)
    grandchildren[-1].representative = son.as_relative()
    members = [(phuoc, HEAD), (wife, WIFE), (mother, MOTHER), (son, CHILD), (daughter, CHILD)]
    members += [(sons_wife, DAUGHTER_IN_LAW), *((grandchild, SONS_CHILD) for grandchild in grandchildren)]
    return cast.household(6, "30628", "Số 140, ấp 6", "1979-01-01", members)


def _tho(cast: Cast) -> Household:
    tho = cast.persona("dang-dinh-tho", locked_on=date(2024, 2, 12), why="Chủ tài khoản chết")
    tho.life_status, tho.life_status_date = LIFE_STATUS_DECEASED, "2024-02-10"
    widow = cast.relative("Mai Thị Nguyệt", SEX_FEMALE, "1944-07-07", 141)
    widow.marital_status = MARITAL_STATUS_WIDOWED
    household = cast.household(7, "07900", "Số 3, tổ dân phố 12", "1975-02-02", [(widow, HEAD)])
    cast.left_the_register(household, tho, "1975-02-02")
    return household


def _nga(cast: Cast) -> Household:
    nga = cast.persona("bui-thi-nga", locked_on=date(2023, 6, 19), why="Chủ tài khoản bị tuyên bố mất tích")
    nga.life_status, nga.life_status_date = LIFE_STATUS_MISSING, "2023-06-15"
    husband = cast.relative("Vũ Đình Toán", SEX_MALE, "1980-03-03", 151)
    marry(husband, nga)
    son = cast.relative("Vũ Hải Đăng", SEX_MALE, "2010-10-20", 152)
    adopt_parents(son, husband, nga)
    son.representative = son.father
    household = cast.household(8, "07210", "Số 64, tổ dân phố 1", "2008-09-09", [(husband, HEAD), (son, CHILD)])
    cast.left_the_register(household, nga, "2008-09-09")
    return household


def _hoa(cast: Cast) -> Household:
    hoa = cast.persona("do-thuy-hoa")
    return cast.household(9, "20242", "Số 22, tổ dân phố 5", "2020-07-15", [(hoa, HEAD)])


def _blok(cast: Cast) -> Household:
    blok = cast.persona("h-blok-enuol")
    blok.ethnicity, blok.religion = "Ê Đê", "Tin Lành"
    return cast.household(10, "24305", "Số 8, tổ dân phố 2", "2010-02-02", [(blok, HEAD)])


def _pao(cast: Cast) -> Household:
    pao = cast.persona("giang-a-pao")
    pao.ethnicity = "Mông"
    wife = cast.relative("Sùng Thị Mỷ", SEX_FEMALE, "1955", 161)
    wife.ethnicity = "Mông"
    marry(pao, wife)
    return cast.household(11, "03217", "Thôn 4", "1980-01-01", [(pao, HEAD), (wife, WIFE)])


def _lich(cast: Cast) -> Household:
    lich = cast.persona("ngo-quang-lich")
    lich.former_number = CancelledNumber("099079000012", "2024-10-03", NUMBER_CHANGE_REASON_BIRTH_YEAR_CORRECTED)
    wife = cast.relative("Phùng Thị Duyên", SEX_FEMALE, "1981-06-06", 171)
    marry(lich, wife)
    son = cast.relative("Ngô Quang Thái", SEX_MALE, "2010-02-09", 172)
    adopt_parents(son, lich, wife)
    son.representative = son.father
    members = [(wife, HEAD), (lich, HUSBAND), (son, CHILD)]
    return cast.household(12, "09187", "Số 45, tổ dân phố 6", "2009-04-04", members)


def _loc(cast: Cast) -> Household:
    loc = cast.persona("truong-bich-loc")
    loc.religion = "Công giáo"
    loc.marital_status = MARITAL_STATUS_DIVORCED
    daughter = cast.relative("Lâm Khánh An", SEX_FEMALE, "2012-11-11", 181)
    daughter.religion = "Công giáo"
    daughter.father = Relative("", "Lâm", "Thế", "Vĩnh")
    adopt_parents(daughter, None, loc)
    daughter.representative = daughter.mother
    household = cast.household(13, "25966", "Số 210, khu phố 3", "2025-07-01", [(loc, HEAD), (daughter, CHILD)])
    for person in (loc, daughter):
        cast.lived_in_former_ward(household, person, "2011-08-30", "2025-06-30", ward_code="25984")
    return household


def _anna(cast: Cast) -> Household:
    anna = cast.persona("lindqvist-anna-karin")
    anna.ethnicity = "Người nước ngoài"
    anna.nationality = anna.birth_country = "SE"
    anna.residence_card, anna.legacy_card = "TT0990000014", ""
    household = cast.household(14, "26740", "Số 6, khu phố 1", "2024-09-16", [])
    anna.stays.append(Stay(RESIDENCE_KIND_TEMPORARY, household.place, household.detail, "2024-09-16"))
    household.outside.append(anna)
    return household


def _loan(cast: Cast) -> Household:
    loan = cast.persona("phan-thi-kim-loan")
    father = cast.relative("Phan Văn Thuần", SEX_MALE, "1970-04-12", 191)
    mother = cast.relative("Cao Thị Thảo", SEX_FEMALE, "1974-08-23", 192)
    marry(father, mother)
    adopt_parents(loan, father, mother)
    household = cast.household(15, "17935", "Thôn 11", "1996-05-05", [(father, HEAD), (mother, WIFE), (loan, CHILD)])
    loan.stays.append(Stay(RESIDENCE_KIND_TEMPORARY, cast.commune("09247"), "Số 12, tổ dân phố 4", "2025-09-01"))
    return household


def _thom(cast: Cast) -> Household:
    thom = cast.persona("duong-thi-thom")
    husband = cast.relative("Lương Xuân Kiên", SEX_MALE, "1981-12-30", 201)
    marry(husband, thom)
    son = cast.relative("Lương Duy Khang", SEX_MALE, "2011-01-17", 202)
    adopt_parents(son, husband, thom)
    son.representative = son.father
    return cast.household(16, "31135", "Số 51, khu phố 2", "2010-06-01", [(husband, HEAD), (thom, WIFE), (son, CHILD)])
