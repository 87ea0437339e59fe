# ruff: noqa: RUF001 - some of the names are written in other alphabets
"""Made-up contact lists: names in the scripts of their languages, addresses under reserved example domains.

Numbers are valid in form and are nobody's wish to be written to: synthetic lists never meet a live provider. The same
rows, seed and region always give the same list. Nothing here touches the database.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from notifier.kit.errors import NotFound

HEADER = ("Reference", "Given name", "Family name", "Email", "Mobile", "Home language", "Relationship", "Year level")
_DOMAINS = ("example.com", "example.org", "example.net")
_PEOPLE_PER_REGION = 10_000_000


class SampleRow(NamedTuple):
    """One row of a made-up list, in the order of HEADER."""

    reference: str
    given_name: str
    family_name: str
    email: str
    mobile: str
    language: str
    role: str
    year_level: str


@dataclass(frozen=True, slots=True)
class SampleSchool:
    """A school nobody goes to. `language` is its list's language."""

    code: str
    name: str
    region: str
    country: str
    language: str


SCHOOLS: tuple[SampleSchool, ...] = (
    SampleSchool("northcote-high", "Northcote High School", "AU-VIC", "AU", "en"),
    SampleSchool("preston-primary", "Preston Primary School", "AU-VIC", "AU", "en"),
    SampleSchool("footscray-city", "Footscray City College", "AU-VIC", "AU", "en"),
    SampleSchool("lindenschule", "Lindenschule", "DE", "DE", "de"),
    SampleSchool("college-des-tilleuls", "Collège des Tilleuls", "FR", "FR", "fr"),
    SampleSchool("gymnasio-elaionas", "Γυμνάσιο Ελαιώνα", "GR", "GR", "el"),
)

# Language: (name as it is written in its own script, the same in the letters of an email address) …
_GIVEN: dict[str, str] = {
    "en": "Olivia/olivia Jack/jack Charlotte/charlotte William/william Matilda/matilda Thomas/thomas Ruby/ruby",
    "de": "Hannah/hannah Jürgen/juergen Käthe/kaethe Lukas/lukas Sabine/sabine Jörg/joerg Anneliese/anneliese",
    "fr": "Chloé/chloe Benoît/benoit Élodie/elodie Loïc/loic Maëlle/maelle Rémi/remi Françoise/francoise",
    "el": "Μαρία/maria Γιώργος/giorgos Ελένη/eleni Νίκος/nikos Κατερίνα/katerina Δημήτρης/dimitris Σοφία/sofia",
    "ar": "فاطمة/fatima محمد/mohammad مريم/maryam أحمد/ahmad ليلى/layla يوسف/yousef زينب/zaynab",
    "vi": "Hương/huong Tuấn/tuan Thảo/thao Đức/duc Ngọc/ngoc Hùng/hung Yến/yen",
    "zh-Hans": "丽华/lihua 伟/wei 晓梅/xiaomei 建国/jianguo 雪/xue 志强/zhiqiang 婷/ting",
    "pa": "ਗੁਰਪ੍ਰੀਤ/gurpreet ਹਰਜੀਤ/harjit ਮਨਪ੍ਰੀਤ/manpreet ਜਸਵੀਰ/jasvir ਸਿਮਰਨ/simran ਬਲਵਿੰਦਰ/balwinder ਨਵਦੀਪ/navdeep",
    "tr": "Ayşe/ayse Mehmet/mehmet Zeynep/zeynep Çağlar/caglar Gülşen/gulsen İbrahim/ibrahim Özlem/ozlem",
    "uk": "Оксана/oksana Андрій/andrii Наталія/nataliia Сергій/serhii Ірина/iryna Василь/vasyl Юлія/yuliia",
    "it": "Giulia/giulia Niccolò/niccolo Chiara/chiara Andrea/andrea Beatrice/beatrice Matteo/matteo Noemi/noemi",
}
_FAMILY: dict[str, str] = {
    "en": "Harris/harris O'Brien/obrien Nguyen-Smith/nguyensmith Walker/walker Campbell/campbell Wright/wright",
    "de": "Müller/mueller Schäfer/schaefer Groß/gross Vogel/vogel Böhm/boehm Hofmann/hofmann",
    "fr": "Lefèvre/lefevre Dubois/dubois Père/pere Garçon/garcon Moreau/moreau D'Hénin/dhenin",
    "el": "Παπαδοπούλου/papadopoulou Οικονόμου/oikonomou Νικολάου/nikolaou Γεωργίου/georgiou Ιωάννου/ioannou",
    "ar": "حداد/haddad الخطيب/alkhatib منصور/mansour سعيد/saeed حسن/hassan العلي/alali",
    "vi": "Nguyễn/nguyen Trần/tran Phạm/pham Đặng/dang Võ/vo Bùi/bui",
    "zh-Hans": "王/wang 李/li 张/zhang 刘/liu 陈/chen 杨/yang",
    "pa": "ਸਿੰਘ/singh ਕੌਰ/kaur ਗਿੱਲ/gill ਸੰਧੂ/sandhu ਢਿੱਲੋਂ/dhillon",
    "tr": "Yılmaz/yilmaz Kaya/kaya Şahin/sahin Çelik/celik Öztürk/ozturk",
    "uk": "Шевченко/shevchenko Коваленко/kovalenko Бондар/bondar Ткачук/tkachuk Мельник/melnyk",
    "it": "Rossi/rossi Russo/russo De Luca/deluca Nicolò/nicolo Esposito/esposito",
}
# What the school's system calls a language, as different schools' systems do.
_CALLED: dict[str, str] = {
    "en": "English", "de": "Deutsch", "fr": "français", "el": "Greek", "ar": "Arabic", "vi": "Vietnamese",
    "zh-Hans": "Mandarin", "pa": "Punjabi", "tr": "tr", "uk": "Ukrainian", "it": "italiano",
}  # fmt: skip
_SPOKEN: dict[str, tuple[str, ...]] = {
    "AU-VIC": ("en",) * 10 + ("vi", "ar", "zh-Hans", "el", "pa", "it"),
    "DE": ("de",) * 10 + ("tr", "ar", "uk", "it"),
    "FR": ("fr",) * 10 + ("ar", "tr", "it"),
    "GR": ("el",) * 10 + ("en", "ar", "uk"),
}
# Of a thousand rows, these have something of their own.
_NO_EMAIL, _NO_MOBILE, _SHARED_MOBILE = range(70), range(70, 130), range(130, 163)
_BAD_EMAIL, _BAD_MOBILE, _SHOUTED_EMAIL = range(163, 168), range(168, 173), range(985, 1_000)
_BAD_MOBILES = ("n/a", "03 9489 0000", "12/03/1984", "4.91E+08", "0491 570 006 / 0491 570 156", "0491 570", "#REF!")
_BAD_EMAILS = ("n/a", "parent@", "maria@example", "one@example.com; two@example.com", "0491 570 006", "=A2")


def sample(rows: int, seed: int, region: str, first_person: int = 0) -> Iterator[SampleRow]:
    """Give a made-up list of a school in one of four regions.

    About one parent in fourteen has no email address, one in sixteen no mobile number, one in thirty shares a mobile
    with the parent before, and one row in a hundred holds something that is no address. `first_person` numbers the
    people: two lists whose numbers overlap have those parents in common.
    """
    if region not in _SPOKEN:
        raise NotFound(f"There are no made-up people for {region!r}; there are for {', '.join(_SPOKEN)}")
    shared = ""
    for number in range(first_person, first_person + rows):
        person = _person(number, seed, region, shared)
        shared = person.mobile or shared
        yield person


def family_lists(people: int, seed: int) -> Iterator[tuple[SampleSchool, Iterator[SampleRow]]]:
    """Give the lists of schools in four regions, about `people` rows in all; neighbours share some parents."""
    size = max(1, people // len(SCHOOLS))
    start: dict[str, int] = {}
    for school in SCHOOLS:
        first = start.get(school.region, 0)
        yield school, sample(size, seed, school.region, first)
        start[school.region] = first + size - size // 4


def _person(number: int, seed: int, region: str, shared_mobile: str) -> SampleRow:
    chance = Random(f"{seed}/{region}/{number}")  # noqa: S311 - people are made up here, not keys
    language = chance.choice(_SPOKEN[region])
    given, given_latin = chance.choice(_GIVEN[language].split()).split("/")
    family, family_latin = _pick_family(chance, language)
    email = f"{given_latin}.{family_latin}{number}@{chance.choice(_DOMAINS)}"
    mobile = _mobile(region, number, seed)
    die = chance.randrange(1_000)
    if die in _NO_EMAIL:
        email = ""
    elif die in _NO_MOBILE:
        mobile = ""
    elif die in _SHARED_MOBILE:
        mobile = shared_mobile or mobile
    elif die in _BAD_EMAIL:
        email = chance.choice(_BAD_EMAILS)
    elif die in _BAD_MOBILE:
        mobile = chance.choice(_BAD_MOBILES)
    elif die in _SHOUTED_EMAIL:
        email = email.upper()
    native = language == _SPOKEN[region][0]
    return SampleRow(
        f"{region}-{number:06}",
        given,
        family,
        email,
        mobile,
        "" if native and die % 2 else _CALLED[language],
        "Carer" if die % 20 == 0 else "Parent",
        f"Year {chance.randrange(1, 13)}",
    )


def _pick_family(chance: Random, language: str) -> tuple[str, str]:
    # A family name may have a space in it, so pairs are told apart by what follows the slash.
    pairs = [pair.strip() for pair in _FAMILY[language].replace("De Luca", "De\u00a0Luca").split(" ")]
    name, _, latin = chance.choice(pairs).partition("/")
    return name.replace("\u00a0", " "), latin


def _mobile(region: str, number: int, seed: int) -> str:
    """Return a number valid in form, written as people there write it; each person of a region has their own."""
    digits = f"{(number * 104_729 + seed * 7_919) % _PEOPLE_PER_REGION:07}"
    if region == "AU-VIC":
        return f"042{digits[0]} {digits[1:4]} {digits[4:]}"
    if region == "DE":
        return f"0151 1{digits}"
    if region == "FR":
        return f"06 1{digits[0]} {digits[1:3]} {digits[3:5]} {digits[5:]}"
    return f"697 {digits[:3]} {digits[3:]}"
