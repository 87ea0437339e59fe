"""Files as schools really have them: each ends in verdicts or in a sentence, never in a traceback or half a list."""

import os
import tracemalloc
import zipfile
from pathlib import Path

import orjson
import pytest
from sqlalchemy import func, select

from notifier.audiences.columns import Column
from notifier.audiences.families import people_of
from notifier.audiences.models import Address, ImportRow, Subscription
from notifier.audiences.plain_text import MAX_LINE
from notifier.audiences.reading import file_digest, open_sheet
from notifier.kit.errors import Invalid
from tests.audiences.conftest import School
from tests.audiences.files import bundle, ods, xlsx, zip_bomb

HEADER = "Given name,Surname,Email,Mobile\n"


def emails(school: School) -> list[str]:
    with school.database.reading() as session:
        return list(session.scalars(select(Address.value).where(Address.channel == "email").order_by(Address.value)))


def mobiles(school: School) -> list[str]:
    with school.database.reading() as session:
        return list(session.scalars(select(Address.value).where(Address.channel == "sms").order_by(Address.value)))


def findings(school: School, import_id: int) -> list[list[str]]:
    with school.database.reading() as session:
        rows = session.scalars(
            select(ImportRow.findings)
            .where(ImportRow.import_id == import_id, ImportRow.findings.is_not(None))
            .order_by(ImportRow.row)
        )
        return [finding for row in rows for finding in orjson.loads(row or "[]")]


def refused(tmp_path: Path, content: bytes, name: str = "list.csv") -> str:
    path = tmp_path / name
    path.write_bytes(content)
    return refused_at(path)


def refused_at(path: Path) -> str:
    with pytest.raises(Invalid) as wrong, open_sheet(path, max_unpacked_mb=50) as sheet:
        list(sheet.rows)
    return str(wrong.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_any_usual_encoding_and_separator_is_read(tmp_path: Path, encoding: str, separator: str) -> None:
    path = tmp_path / "list.csv"
    text = "Prénom,Nom,Courriel,Portable\nZoë,Müßig,zoe@example.org,0491 570 006\n".replace(",", separator)
    path.write_bytes(text.encode(encoding))
    with open_sheet(path) as sheet:
        assert set(sheet.places) == {Column.GIVEN_NAME, Column.FAMILY_NAME, Column.EMAIL, Column.MOBILE}
        assert list(sheet.rows) == [(2, ["Zoë", "Müßig", "zoe@example.org", "0491 570 006"])]


@pytest.mark.parametrize(
    "header",
    [
        "Parent email;Mobile;Surname;First name;Home language;Year level",
        "Adresse e-mail;Téléphone portable;Nom de famille;Prénom;Langue;Classe",
        "E-Mail-Adresse;Handynummer;Nachname;Vorname;Muttersprache;Jahrgangsstufe",
        "Correo electrónico;Móvil;Apellidos;Nombre;Idioma;Curso",
        "Indirizzo e-mail;Cellulare;Cognome;Nome;Lingua;Classe",
        "Διεύθυνση email;Κινητό τηλέφωνο;Επώνυμο;Όνομα;Γλώσσα;Τάξη",
    ],
)
def test_headers_are_recognised_in_six_languages(tmp_path: Path, header: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"{header}\n", encoding="utf-8")
    with open_sheet(path) as sheet:
        if "Téléphone" in header:
            header = header.replace("Téléphone portable", "Portable")
        assert list(sheet.places.values()).count(0) == 1
        assert {Column.EMAIL, Column.FAMILY_NAME, Column.GIVEN_NAME, Column.LANGUAGE, Column.YEAR_LEVELS} <= set(
            sheet.places
        )


@pytest.mark.parametrize(
    "header",
    [
        "Email,Phone,Mobile,Name",
        "Courriel;Téléphone;Téléphone portable;Nom complet",
        "E-Mail Eltern;Telefon;Handy-Nr.;Elternname",
        "Correo electrónico;Teléfono;Teléfono móvil;Nombre completo",
        "E-mail genitore;Telefono;Numero cellulare;Nome completo",
        "Ηλ. ταχυδρομείο;Τηλέφωνο;Τηλ. κινητό;Ονοματεπώνυμο",
    ],
)
def test_a_mobile_is_taken_rather_than_any_telephone(tmp_path: Path, header: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"{header}\na@example.org\n", encoding="utf-8")
    with open_sheet(path) as sheet:
        assert sheet.places == {Column.EMAIL: 0, Column.MOBILE: 2, Column.NAME: 3}
        assert len(sheet.unread) == 1


def test_of_each_parent_the_mobile_is_taken_too() -> None:
    (mother, father) = people_of(["Mother phone", "Mother mobile", "Father phone", "Father cell"])
    assert (mother[Column.MOBILE], father[Column.MOBILE]) == (1, 3)


def test_a_title_without_any_separator_stands_above_the_header(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("Elternliste 2026\n\nName;E-Mail\nMaria;maria@example.org\n")
    with open_sheet(path) as sheet:
        assert [cells for _, cells in sheet.rows] == [["Maria", "maria@example.org"]]


def test_a_column_can_be_named_by_hand_and_another_left_out(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("Kontakt 1,Email\nmaria@example.org,office@school.example\n")
    with open_sheet(path, {"kontakt 1": "email", "Email": "-"}) as sheet:
        assert sheet.places == {Column.EMAIL: 0}
    with pytest.raises(Invalid, match="no column 'Kontakt 2'"), open_sheet(path, {"Kontakt 2": "mobile"}):
        pass


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("mobile", "(03) 9489 0000", "not_a_mobile"),
        ("mobile", "n/a", "placeholder"),
        ("mobile", "0491 570 006 / 0491 570 156", "two_addresses"),
        ("mobile", "12/03/1984", "date_in_phone"),
        ("mobile", "1984-03-12 00:00:00", "date_in_phone"),
        ("mobile", "4.91E+08", "scientific_number"),
        ("mobile", "=VLOOKUP(A2,B:C,2)", "formula"),
        ("mobile", "#REF!", "formula"),
        ("mobile", "0491 570", "too_short"),
        ("mobile", "0491 570 006 157 892", "too_long"),
        ("mobile", "maria@example.org", "email_in_phone"),
        ("mobile", "call the office", "not_a_phone_number"),
        ("email", "0491 570 006", "phone_in_email"),
        ("email", "one@example.com; two@example.com", "two_addresses"),
        ("email", "none", "placeholder"),
        ("email", "maria@", "not_an_email"),
        ("email", "maria@localhost.localhost", "domain_cannot_receive"),
        ("email", "=A2", "formula"),
    ],
)
def test_each_mishap_in_a_cell_has_its_own_words(school: School, column: str, value: str, reason: str) -> None:
    other = "0491570156" if column == "email" else "fine@example.org"
    cells = f'"{value}",{other}' if column == "email" else f'{other},"{value}"'
    import_id, shown = school.look(f"{HEADER}Maria,P,{cells}\n")
    assert (shown.added, shown.refused) == (1, 0)
    assert findings(school, import_id) == [[column, value, reason]]


def test_a_row_with_no_usable_address_is_refused(school: School) -> None:
    import_id, shown = school.look(f"{HEADER}Maria,P,,\nNikos,P,n/a,tba\n")
    assert (shown.added, shown.refused) == (0, 2)
    assert findings(school, import_id) == [
        ["email", "", "no_address"],
        ["email", "n/a", "placeholder"],
        ["mobile", "tba", "placeholder"],
    ]


def test_quoted_newlines_and_short_or_long_rows_are_taken_as_they_are(school: School) -> None:
    school.upload(f'{HEADER}"Maria\nSofia",P,maria@example.org\nNikos,P,nikos@example.org,,more,and more\n\n,,,\n')
    with school.database.reading() as session:
        assert session.scalars(select(Subscription.given_name).order_by(Subscription.id)).all() == [
            "Maria Sofia",
            "Nikos",
        ]


def test_a_title_above_the_header_is_passed_over(school: School) -> None:
    assert school.upload(f"Parents of Northcote High 2026,,,\n,,,\n{HEADER}Maria,P,maria@example.org,\n").added == 1


def test_a_name_that_holds_a_link_is_left_out(school: School) -> None:
    import_id, _ = school.look(f"{HEADER}win at www.example.com,P,maria@example.org,\n")
    assert findings(school, import_id) == [["given_name", "win at www.example.com", "no_name_text"]]


def test_a_workbook_with_formulas_numbers_and_merged_cells_is_read(school: School, tmp_path: Path) -> None:
    path = xlsx(
        tmp_path / "list.xlsx",
        [["Contacts", "", "", ""], ["Given name", "Surname", "Email", "Mobile"],
         ["Maria", "P", '<f>LOWER("M@EXAMPLE.ORG")</f><v>m@example.org</v>', 491570006],
         ["Nikos", "P", "n@example.org", 491570156.0],
         ["Eleni", "P", "e@example.org", "<f>A1</f><v>#REF!</v>"]],
        extra='<mergeCells count="1"><mergeCell ref="A1:D1"/></mergeCells>',
    )  # fmt: skip
    import_id, shown = school.look_at(path)
    assert shown.added == 3
    assert findings(school, import_id) == [["mobile", "#REF!", "formula"]]
    school.carry_out(import_id)
    assert emails(school) == ["e@example.org", "m@example.org", "n@example.org"]
    assert mobiles(school) == ["+61491570006", "+61491570156"]


def test_the_sheet_with_the_people_is_found_behind_another(school: School, tmp_path: Path) -> None:
    path = xlsx(tmp_path / "list.xlsx", [["Read me first"]], [["Email"], ["maria@example.org"]])
    assert school.look_at(path)[1].added == 1


def test_an_open_document_sheet_is_read(school: School, tmp_path: Path) -> None:
    path = ods(tmp_path / "list.ods", [["Vorname", "E-Mail"], ["Käthe", "kaethe@example.org"]])
    assert school.look_at(path)[1].added == 1


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("list.csv", b"", "is empty"),
        ("list.csv", b" \r\n\r\n", "is empty"),
        ("list.csv", b"%PDF-1.7 ...", "is a PDF document"),
        ("list.csv", b"<!doctype html><table>", "is a web page"),
        ("list.csv", b"\x89PNG\r\n", "is a picture"),
        ("list.csv", b"email\n" + bytes(range(256)), "holds bytes no text has"),
        ("list.csv", b"Email\n" + b"x" * (MAX_LINE + 1), f"more than {MAX_LINE} characters"),
        ("list.csv", b'Email\n"' + b"x\n" * 2 * MAX_LINE, "quotation mark left open"),
        ("list.csv", b",".join(b"c%d" % n for n in range(200)) + b"\n", "has 200 columns"),
        ("list.csv", b"Name,Address\nMaria,1 High St\n", "no column for an email address.*Name, Address.*--column"),
        ("list.xlsx", b"PK\x03\x04 broken", "is damaged"),
        ("list.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 broken", "cannot be read as a spreadsheet"),
    ],
)
def test_what_is_not_a_table_is_refused_in_a_sentence(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    with pytest.raises(Invalid, match=says), open_sheet(_written(tmp_path / name, content)) as sheet:
        list(sheet.rows)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def rewritten(path: Path, member: str, before: str, after: str) -> Path:
    """Return a copy of a workbook with something else in one of its files."""
    made = path.with_name(f"other-{path.name}")
    with zipfile.ZipFile(path) as origin, zipfile.ZipFile(made, "w") as copied:
        for name in origin.namelist():
            text = origin.read(name).decode()
            copied.writestr(name, text.replace(before, after) if name == member else text)
    return made


def test_a_cell_in_the_far_corner_is_refused_before_memory_is_asked_for_it(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "list.xlsx", [["email"], ["maria@example.org"]])
    far = '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row></sheetData>'
    made = rewritten(path, "xl/worksheets/sheet1.xml", "</sheetData>", far)
    with pytest.raises(Invalid, match=r"row 1048576, column 16384"), open_sheet(made):
        pass
    empty = '<row r="1048576"><c r="XFD1048576" s="1"/></row></sheetData>'
    with open_sheet(rewritten(path, "xl/worksheets/sheet1.xml", "</sheetData>", empty)) as sheet:
        assert [cells for _, cells in sheet.rows] == [["maria@example.org"]]


def test_a_hidden_sheet_is_passed_over(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "list.xlsx", [["email"], ["old@example.org"]], [["email"], ["new@example.org"]])
    hidden = rewritten(path, "xl/workbook.xml", 'name="Sheet1"', 'name="Sheet1" state="hidden"')
    with open_sheet(hidden) as sheet:
        assert [cells for _, cells in sheet.rows] == [["new@example.org"]]


def test_an_empty_workbook_is_refused(tmp_path: Path) -> None:
    assert "is empty" in refused_at(xlsx(tmp_path / "list.xlsx", []))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = zip_bomb(tmp_path / "list.xlsx", 60)
    assert path.stat().st_size < 1 << 20
    assert "unpacks to more than 50 MB" in refused_at(path)


@pytest.mark.parametrize("before", [b"", b"maria@example.org,0491570006\n" * 500])
def test_a_line_of_a_gigabyte_is_refused_in_little_memory(tmp_path: Path, before: bytes) -> None:
    path = tmp_path / "list.csv"
    with path.open("wb") as file:
        file.write(b"email,mobile\n" + before + b"x" * 8192)
        file.truncate(1 << 30)  # A hole: a gigabyte to whoever reads it, a few kilobytes on the disk.
    assert path.stat().st_blocks * 512 < 1 << 20
    tracemalloc.start()
    try:
        assert f"a line of more than {MAX_LINE} characters" in refused_at(path)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    assert "cannot be read as a spreadsheet" in refused_at(bundle(tmp_path / "list.zip", {"photo.txt": "hello"}))


def test_what_can_be_read_only_once_is_refused_before_anybody_waits(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(Invalid, match="is a folder, a pipe or a device"), open_sheet(path):
            pass
        with pytest.raises(Invalid, match="save the list as a file first"):
            file_digest(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "nowhere.csv cannot be read" in refused_at(tmp_path / "nowhere.csv")


def test_a_file_that_breaks_half_way_leaves_nothing_on_the_list(school: School) -> None:
    rows = "".join(f"P,Q,p{number}@example.org,\n" for number in range(50))
    with pytest.raises(Invalid, match="more than"):
        school.upload(f"{HEADER}{rows}{'x' * (MAX_LINE + 1)}")
    with school.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Subscription)) == 0
        assert session.scalar(select(func.count()).select_from(Address)) == 0
