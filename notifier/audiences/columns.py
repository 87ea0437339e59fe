# ruff: noqa: RUF001 - some of the words are Greek
"""Which column of a school's file is which: headers in plain words and their usual synonyms, in six languages.

A header is compared without case, accents and punctuation. Nothing here reads a file or judges a value.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

from notifier.kit.errors import Invalid


class Column(StrEnum):
    """What the importer takes from a row. NAME is a whole name in one cell."""

    GIVEN_NAME = "given_name"
    FAMILY_NAME = "family_name"
    NAME = "name"
    EMAIL = "email"
    MOBILE = "mobile"
    LANGUAGE = "language"
    ROLE = "role"
    YEAR_LEVELS = "year_levels"
    REFERENCE = "reference"


_SYNONYMS: dict[Column, str] = {
    Column.GIVEN_NAME: """
        given name, first name, forename, preferred name, parent first name, parent given name, contact first name,
        guardian first name, given names, firstname, givenname, prenom, prenom du parent, vorname, nombre,
        nombre del padre, nome, nome del genitore, ονομα, ονομα γονεα""",
    Column.FAMILY_NAME: """
        family name, surname, last name, lastname, parent surname, parent last name, parent family name,
        contact surname, guardian surname, familyname, nom, nom de famille, nom du parent, nachname, familienname,
        zuname, apellido, apellidos, primer apellido, cognome, cognome del genitore, επωνυμο, επιθετο, επωνυμο γονεα""",
    Column.NAME: """
        name, full name, parent name, parent, guardian, guardian name, contact name, parent carer, parent carer name,
        nom complet, nom et prenom, vollstandiger name, name der eltern, elternname, nombre completo,
        nombre y apellidos, nome e cognome, nome completo, ονοματεπωνυμο""",
    Column.EMAIL: """
        email, e mail, mail, email address, e mail address, parent email, parent email address, guardian email,
        contact email, primary email, home email, parent carer email, courriel, adresse courriel, adresse email,
        adresse e mail, adresse mail, adresse electronique, mel, email du parent, e mail du parent, email parent,
        email parents, courriel du parent, email adresse, e mail adresse, mailadresse, eltern email, e mail eltern,
        email eltern, eltern e mail, e mail der eltern, e mail erziehungsberechtigte, mail eltern, correo,
        correo electronico, email del padre, correo del padre, correo electronico del padre,
        direccion de correo electronico, direccion de correo, posta elettronica, indirizzo email, indirizzo e mail,
        email genitore, e mail genitore, mail genitore, email del genitore, ηλεκτρονικο ταχυδρομειο,
        ηλεκτρονικη διευθυνση, διευθυνση email, email γονεα, e mail γονεα, email κηδεμονα, ηλ ταχυδρομειο,
        ηλεκτρονικο ταχυδρομειο γονεα""",
    Column.MOBILE: """
        mobile, mobile phone, mobile number, mobile no, phone, phone number, cell, cell phone, cellphone, sms,
        parent mobile, parent mobile phone, guardian mobile, contact mobile, telephone, telephone mobile, portable,
        tel portable, telephone portable, telephone portable du parent, tel mobile, tel, gsm, mobile phone number,
        cell number, cell phone number, parent phone, parent phone number, parent mobile number, parent cell,
        guardian phone, contact phone, contact mobile phone, mobile parent, portable parent, numero de portable,
        numero de telephone, mobile du parent, handy, handynummer, handy nr, mobil, mobilnummer, mobil nr,
        mobilfunknummer, telefon mobil, tel mobil, mobiltelefonnummer, handy eltern, handynummer der eltern,
        mobiltelefon, telefon, telefonnummer, handy der eltern, movil, telefono movil, movil del padre,
        telefono movil del padre, telefono celular, numero de celular, telefono, celular, numero de movil, cellulare,
        telefono cellulare, numero cellulare, cell genitore, cellulare genitore, cellulare del genitore,
        numero di cellulare, numero di telefono, κινητο, κινητο τηλεφωνο, τηλ κινητο, κινητο κηδεμονα, τηλεφωνο,
        αριθμος κινητου, κινητο γονεα""",
    Column.LANGUAGE: """
        language, preferred language, home language, language spoken at home, main language, contact language, langue,
        langue preferee, langue maternelle, langue parlee a la maison, sprache, muttersprache, familiensprache,
        bevorzugte sprache, idioma, lengua, idioma preferido, lengua materna, lingua, lingua preferita, lingua madre,
        γλωσσα, μητρικη γλωσσα, γλωσσα επικοινωνιας""",
    Column.ROLE: """
        role, relationship, relation, contact type, relationship to student, type, qualite, lien, lien de parente,
        rolle, beziehung, rol, relacion, parentesco, ruolo, relazione, parentela, ρολος, ιδιοτητα, σχεση""",
    Column.YEAR_LEVELS: """
        year level, year levels, year, years, grade, grades, class year, school year, year group, grade level, form,
        niveau, niveaux, classe, jahrgang, jahrgangsstufe, klassenstufe, stufe, klasse, curso, nivel, ano, grado, anno,
        anno scolastico, livello, classi, ταξη, ταξεις""",
    Column.REFERENCE: """
        reference, ref, id, external id, contact id, parent id, person id, family code, sourcedid, identifier,
        student id, identifiant, reference interne, numero eleve, kennung, referenz, schulernummer, identificador,
        referencia, id familia, riferimento, identificativo, codice, κωδικος, αναγνωριστικο, αρ μητρωου""",
}

# A word for any telephone yields to one for a mobile.
_TELEPHONES = frozenset(["phone", "telephone", "telefon", "telefonnummer", "telefono", "tel", "τηλεφωνο"])
_MOBILES = frozenset(
    ["mobile", "cell", "cellphone", "sms", "gsm", "portable", "handy", "handynummer", "mobil", "movil", "celular",
     "cellulare", "κινητο", "κινητου"]
)  # fmt: skip
_WORDS = re.compile(r"[^\w]+")


def plain(header: str) -> str:
    """Return a header without case, accents and punctuation, so that two ways of writing it compare equal."""
    bare = "".join(
        letter for letter in unicodedata.normalize("NFD", header.casefold()) if not unicodedata.combining(letter)
    )
    return " ".join(_WORDS.sub(" ", bare.replace("_", " ")).split()).replace("ς", "σ")


_KNOWN = {plain(word): column for column, words in _SYNONYMS.items() for word in (*words.split(","), column.value)}


LEAVE_OUT = "-"


def known(bare: str) -> Column | None:
    """Return the column that a header means, itself as `plain` gives it, or None."""
    return _KNOWN.get(bare)


def by_precision(header: Sequence[str]) -> list[tuple[int, str]]:
    """Return the place of each header and the header itself, `plain`; those for any telephone come last."""
    return sorted(
        ((place, plain(text)) for place, text in enumerate(header)), key=lambda one: _is_any_telephone(one[1])
    )


def _is_any_telephone(bare: str) -> bool:
    words = set(bare.split())
    return bool(words & _TELEPHONES) and not words & _MOBILES


def recognise(header: Sequence[str], mapping: Mapping[str, str] | None = None) -> dict[Column, int]:
    """Return where each column stands in a header row.

    `mapping` gives headers of this file one of our words, or "-" to leave them out; it beats the synonyms. Of two
    headers for one column the first counts, but "Telephone" only where there is no "Mobile".
    """
    wanted = {plain(theirs): ours for theirs, ours in (mapping or {}).items()}
    headers = by_precision(header)
    found: dict[Column, int] = {}
    for place, text in headers:
        if wanted.get(text, LEAVE_OUT) != LEAVE_OUT:
            found.setdefault(Column(wanted[text]), place)
    for place, text in headers:
        if text not in wanted and (column := _KNOWN.get(text)) is not None:
            found.setdefault(column, place)
    return found


def check_mapping(mapping: Mapping[str, str], header: Sequence[str]) -> None:
    """Raise Invalid for a mapping that uses a word that is not ours, or a header the file does not have."""
    check_words(mapping)
    headers = [plain(text) for text in header]
    for theirs in mapping:
        if plain(theirs) not in headers:
            raise Invalid(f"The file has no column {theirs!r}; its columns are: {', '.join(filter(None, header))}")


def check_words(mapping: Mapping[str, str]) -> None:
    """Raise Invalid for a mapping to a word that is not ours."""
    words = [column.value for column in Column]
    for ours in mapping.values():
        if ours != LEAVE_OUT and ours not in words:
            raise Invalid(f"{ours!r} is no column of a contact list; the words are {', '.join(words)}, or -")


def is_usable(found: Mapping[Column, int]) -> bool:
    """Whether a header row leads to anybody at all."""
    return Column.EMAIL in found or Column.MOBILE in found


def has_all(header: Sequence[str], words: Collection[str]) -> bool:
    """Whether every word of a table of our own, of which there is at least one, is a header here."""
    return bool(words) and set(words) <= {plain(text) for text in header}
