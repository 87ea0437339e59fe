# ruff: noqa: E501 - the headers are as long as the standard makes them
"""OneRoster bundles: guardians found through their children, in both versions of the standard."""

from pathlib import Path

import pytest

from notifier.audiences.oneroster import HEADER
from notifier.audiences.reading import open_sheet
from notifier.kit.errors import Invalid
from tests.audiences.files import bundle

ORGS = "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\ns1,active,,Northcote High,school,,\n"
USERS_11 = """sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,\
middleName,identifier,email,sms,phone,agentSourcedIds,grades,password
k1,active,,true,s1,student,,,Eleni,P,,,,,,"g1,g2",09,
k2,active,,true,s1,student,,,Nikos,P,,,,,,g1,07,
g1,active,,true,s1,parent,,,Maria,P,,,maria@example.org,0491 570 006,,,,
g2,active,,true,s1,guardian,,,Giorgos,P,,,g@example.org,,0491 570 156,,,
g3,active,,true,s1,parent,,,Nobody,Q,,,q@example.org,,,,,
g4,tobedeleted,,true,s1,parent,,,Gone,Q,,,gone@example.org,,,k1,,
t1,active,,true,s1,teacher,,,Terry,T,,,t@example.org,,,,,
"""
USERS_12 = """sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,identifier,\
email,sms,phone,agentSourcedIds,grades,password,userMasterIdentifier,resourceSourcedIds,preferredGivenName,\
preferredMiddleName,preferredFamilyName,primaryOrgSourcedId,pronouns,metadata.language
k1,active,,true,,,Eleni,P,,,,,,,,,,,,,,s1,,
g1,active,,true,,,Maria,Papadopoulou,,,maria@example.org,0491 570 006,,k1,,,,,Mary,,,,,Greek
"""
ROLES_12 = """sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,userProfileSourcedId
r1,active,,k1,primary,student,,,s1,
r2,active,,g1,primary,parent,,,s1,
"""
CLASSES = "sourcedId,status,dateLastModified,title,grades,courseSourcedId\nc1,active,,Maths,11,\n"
ENROLLMENTS = (
    "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role\ne1,active,,c1,s1,k1,student\n"
)


def rows_of(path: Path, school: str | None = None) -> list[dict[str, str]]:
    with open_sheet(path, school=school) as sheet:
        return [dict(zip(HEADER, cells, strict=True)) for _, cells in sheet.rows]


def test_guardians_of_1_1_come_with_the_year_levels_of_all_their_children(tmp_path: Path) -> None:
    found = rows_of(bundle(tmp_path / "b.zip", {"orgs.csv": ORGS, "users.csv": USERS_11}))
    assert [(row["given_name"], row["mobile"], row["role"], row["year_levels"]) for row in found] == [
        ("Maria", "0491 570 006", "parent", "07,09"),
        ("Giorgos", "0491 570 156", "carer", "09"),
    ]


def test_guardians_of_1_2_find_their_role_language_and_year_level_elsewhere(tmp_path: Path) -> None:
    files = {"orgs.csv": ORGS, "users.csv": USERS_12, "roles.csv": ROLES_12, "classes.csv": CLASSES}
    found = rows_of(bundle(tmp_path / "b.zip", files | {"enrollments.csv": ENROLLMENTS}))
    assert found == [
        {
            "reference": "g1",
            "given_name": "Mary",
            "family_name": "Papadopoulou",
            "email": "maria@example.org",
            "mobile": "0491 570 006",
            "language": "Greek",
            "role": "parent",
            "year_levels": "11",
        }
    ]


def test_of_several_schools_one_has_to_be_named(tmp_path: Path) -> None:
    orgs = f"{ORGS}s2,active,,Preston Primary,school,,\n"
    path = bundle(tmp_path / "b.zip", {"orgs.csv": orgs, "users.csv": USERS_11})
    with pytest.raises(Invalid, match=r"2 schools: Northcote High \(s1\), Preston Primary \(s2\).*--school"):
        rows_of(path)
    assert len(rows_of(path, "northcote high")) == 2
    assert rows_of(path, "s2") == []
    with pytest.raises(Invalid, match="no school 'Nowhere'"):
        rows_of(path, "Nowhere")


def test_a_bundle_within_a_folder_of_the_archive_is_found(tmp_path: Path) -> None:
    path = bundle(tmp_path / "b.zip", {"export/orgs.csv": ORGS, "export/users.csv": USERS_11})
    assert len(rows_of(path)) == 2


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"manifest.csv": "propertyName,value\n", "orgs.csv": ORGS}, "a OneRoster bundle without users.csv"),
        ({"orgs.csv": ORGS, "users.csv": "sourcedId;role\ng1;guardian\n"}, "users.csv has no column sourcedid"),
        ({"orgs.csv": "type,name\nschool,Northcote\n", "users.csv": USERS_11}, "orgs.csv has no column sourcedid"),
        ({"users.csv": USERS_11, "enrollments.csv": "x\n1\n"}, "enrollments.csv has no column usersourcedid"),
    ],
)
def test_a_bundle_with_something_missing_says_what(tmp_path: Path, files: dict[str, str], says: str) -> None:
    with pytest.raises(Invalid, match=says):
        rows_of(bundle(tmp_path / "b.zip", files))
