"""OneRoster 1.1 and 1.2 bundles (zip of CSV files, 1EdTech): the guardians of one school's students as rows.

A student and a guardian name each other in `agentSourcedIds`, either or both of them. Roles and schools stand in
users.csv (1.1) or roles.csv (1.2); a child's year levels in users.csv or, through enrollments, in classes.csv. The
guardians of a school are those with a child there. Nothing here judges a value.
"""

import csv
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO, cast

from notifier.audiences.columns import Column
from notifier.kit.errors import Invalid

HEADER = tuple(
    column.value
    for column in (
        Column.REFERENCE, Column.GIVEN_NAME, Column.FAMILY_NAME, Column.EMAIL, Column.MOBILE, Column.LANGUAGE,
        Column.ROLE, Column.YEAR_LEVELS,
    )
)  # fmt: skip
_GUARDIANS = {"parent": "parent", "guardian": "carer", "relative": "carer"}
_LANGUAGES = ("metadata.language", "metadata.preferredlanguage", "metadata.homelanguage", "language")
_Row = dict[str, str]


@dataclass(slots=True)
class _Bundle:
    """What must be known of the students before the first guardian can be written down."""

    schools: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    schools_of: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    levels_of: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    children_of: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    students: set[str] = field(default_factory=set)


def is_bundle(archive: zipfile.ZipFile) -> bool:
    """Whether an archive is a OneRoster bundle, or what is left of one."""
    return any(_member(archive, name) is not None for name in ("manifest.csv", "orgs.csv", "users.csv"))


def guardians(path: Path, archive: zipfile.ZipFile, school: str | None) -> Iterator[tuple[int, Sequence[str]]]:
    """Give the guardians of a school's students, numbered by their row in users.csv. Raises Invalid."""
    if _member(archive, "users.csv") is None:
        raise Invalid(f"{path.name} is a OneRoster bundle without users.csv, which names the guardians; export it anew")
    bundle = _read(archive)
    wanted = _school(path, bundle, school)
    for number, row in enumerate(_rows(archive, "users.csv"), start=2):
        found = row.get("sourcedid", "")
        role = _GUARDIANS.get(bundle.roles.get(found, ""))
        children = {child for child in bundle.children_of.get(found, ()) if wanted in (None, *bundle.schools_of[child])}
        if role is None or not children or not _in_use(row):
            continue
        levels = sorted(set().union(*(bundle.levels_of.get(child, set()) for child in children)))
        yield (
            number,
            (
                found,
                row.get("preferredgivenname") or row.get("givenname", ""),
                row.get("preferredfamilyname") or row.get("familyname", ""),
                row.get("email", ""),
                row.get("sms") or row.get("phone", ""),
                next((row[name] for name in _LANGUAGES if row.get(name)), ""),
                role,
                ",".join(levels),
            ),
        )


def _read(archive: zipfile.ZipFile) -> _Bundle:
    bundle = _Bundle()
    for row in _rows(archive, "orgs.csv"):
        if row.get("type", "").lower() == "school" and _in_use(row):
            bundle.schools[row.get("sourcedid", "")] = row.get("name", "")
    for row in _rows(archive, "roles.csv", "usersourcedid"):
        if _in_use(row):
            _place(bundle, row.get("usersourcedid", ""), row.get("role", ""), row.get("orgsourcedid", ""))
    for row in _rows(archive, "users.csv"):
        if _in_use(row):
            _user(bundle, row)
    _link(bundle, archive)
    return bundle


def _place(bundle: _Bundle, user: str, role: str, schools: str) -> None:
    role = role.strip().lower()
    if role and bundle.roles.get(user) not in _GUARDIANS:
        bundle.roles[user] = role
    if role == "student":
        bundle.students.add(user)
    bundle.schools_of[user].update(_many(schools))


def _user(bundle: _Bundle, row: _Row) -> None:
    user = row.get("sourcedid", "")
    _place(bundle, user, row.get("role", ""), row.get("orgsourcedids") or row.get("primaryorgsourcedid", ""))
    bundle.levels_of[user].update(_many(row.get("grades", "")))
    for agent in _many(row.get("agentsourcedids", "")):
        # Which of the two is the child is known when everybody's role is.
        bundle.children_of[user].add(agent)
        bundle.children_of[agent].add(user)


def _link(bundle: _Bundle, archive: zipfile.ZipFile) -> None:
    for user, linked in list(bundle.children_of.items()):
        bundle.children_of[user] = linked & bundle.students
    levels = {row.get("sourcedid", ""): _many(row.get("grades", "")) for row in _rows(archive, "classes.csv")}
    for row in _rows(archive, "enrollments.csv", "usersourcedid"):
        student = row.get("usersourcedid", "")
        if student in bundle.students and _in_use(row):
            bundle.schools_of[student].update(_many(row.get("schoolsourcedid", "")))
            if not bundle.levels_of[student]:
                bundle.levels_of[student].update(levels.get(row.get("classsourcedid", ""), ()))


def _school(path: Path, bundle: _Bundle, wanted: str | None) -> str | None:
    names = ", ".join(f"{name} ({found})" for found, name in sorted(bundle.schools.items()))
    if wanted is None:
        if len(bundle.schools) > 1:
            raise Invalid(f"{path.name} holds {len(bundle.schools)} schools: {names}; say which with --school")
        return next(iter(bundle.schools), None)
    for found, name in bundle.schools.items():
        if wanted.casefold() in (found.casefold(), name.casefold()):
            return found
    raise Invalid(f"{path.name} holds no school {wanted!r}; it has {names or 'none'}")


def _in_use(row: _Row) -> bool:
    return row.get("status", "").lower() != "tobedeleted" and row.get("enableduser", "").lower() != "false"


def _many(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _member(archive: zipfile.ZipFile, name: str) -> str | None:
    # Some systems put the files into a folder of their own.
    return next((member for member in archive.namelist() if member.rpartition("/")[2].lower() == name), None)


def _rows(archive: zipfile.ZipFile, name: str, needs: str = "sourcedid") -> Iterator[_Row]:
    member = _member(archive, name)
    if member is None:
        return
    with archive.open(member) as packed:
        text = cast("TextIO", TextIOWrapper(packed, encoding="utf-8-sig", errors="replace", newline=""))
        try:
            reader = csv.reader(text)
            header = [cell.strip().lower() for cell in next(reader, [])]
            if header and needs not in header:
                raise Invalid(f"{member} has no column {needs}; export the bundle anew, as UTF-8 and with commas")
            for cells in reader:
                yield dict(zip(header, cells, strict=False))
        except csv.Error as wrong:
            raise Invalid(f"{member}, line {reader.line_num}: {wrong}") from wrong
