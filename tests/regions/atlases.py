"""Region files for tests: a made-up country, written to a folder with the changes a test asks for."""

from pathlib import Path

COUNTRY = """
code = "XA"
name = "Examplia"
country = "XA"
groups = ["EU"]
timezones = ["Europe/Vienna"]

[languages]
official = ["de-AT", "en"]
community = ["tr"]

[contacts.emergency]
value = "112"
source = "https://police.example/emergency"
verified = true
confidence = "high"

[contacts.child_helpline]
value = "147 147"
operator = "Helpline <Examplia>"
hours = "24/7"
source = "https://helpline.example/"
verified = true
confidence = "high"
"""

STATE = """
code = "XA-ST"
name = "The State"
country = "XA"
parent = "XA"
timezones = ["Europe/Vienna"]

[languages]
official = ["de-AT"]

[contacts.police_non_emergency]
value = "05 9133"
source = "https://police.example/"
verified = true
confidence = "low"
"""

SHARED = """
[contacts.inhope_directory]
value = "https://www.inhope.example/"
source = "https://www.inhope.example/"
verified = true
confidence = "high"
"""


def write_regions(folder: Path, *, country: str = COUNTRY, state: str = STATE, shared: str = SHARED) -> Path:
    """Write a folder of regions and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("XA", country), ("XA-ST", state), ("_shared", shared)):
        (folder / f"{name}.toml").write_text(text.lstrip(), encoding="utf-8")
    return folder


def contact(fact: str, value: str, **others: str) -> str:
    """Return the table of one more contact, verified unless said otherwise."""
    given = {"source": '"https://source.example/"', "verified": "true", "confidence": '"high"', **others}
    return f'\n[contacts.{fact}]\nvalue = "{value}"\n' + "".join(f"{key} = {text}\n" for key, text in given.items())
