"""Made-up advisories for tests, written to a folder with the changes a test asks for."""

from datetime import date
from pathlib import Path

from notifier.content.languages import Languages
from notifier.content.library import Library
from notifier.content.render import RenderContext, Renderer
from notifier.regions.atlas import Atlas
from tests.regions.atlases import write_regions

ROOT = Path(__file__).parents[2]
LANGUAGES = Languages.load(ROOT / "config" / "languages.toml")
LAYOUTS = ROOT / "templates" / "layouts"

ADVISORY = """
title = "Safety on bicycles"
topic = "bicycles"
source_language = "en"
source_document = "A made-up leaflet, 2020"
regions = ["XA"]
channels = ["email", "sms"]

[readers.parents]
summary = "For parents."

[limits]
sms_parts_gsm7 = 2
sms_parts_ucs2 = 3
"""

EMAIL = """
+++
language = "en"
status = "draft"
author = "Drafting team"
subject = "Bicycles: how to help your child"
preheader = "General advice for all families."
+++

## It is not your child's fault

{{ sender.name }} says: **wear a helmet** & look < around.

1. Stop.
2. Look.

## Who can help now

{{ contacts }}

In danger now: {{ contact.emergency }}.
"""

SMS = """
+++
language = "en"
status = "draft"
author = "Drafting team"
+++
{{ sender.name }}: it's not your child's fault. In danger now: {{ contact.emergency }}. Help: {{ link }}
"""

ARABIC_EMAIL = """
+++
language = "ar"
source = "en"
status = "translated"
translator = "Drafting team"
subject = "الدراجات: كيف تساعد طفلك"
preheader = "نصائح عامة لجميع العائلات."
+++

## ليس خطأ طفلك

تقول {{ sender.name }}: **ارتدِ الخوذة**.

{{ contacts }}

في حالة الخطر الآن: {{ contact.emergency }}.
"""

CONTEXT = RenderContext(
    code="7Kp",
    public_url="https://police.example",
    sender_name="Police & Partners",
    sender_email="advisories@police.example",
    reply_to="",
    sms_sender="+61480000000",
    today=date(2026, 11, 21),
    live=False,
)


def write(folder: Path, place: str, text: str) -> Path:
    """Write one file below a folder and return its path."""
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.lstrip(), encoding="utf-8")
    return path


def write_advisory(folder: Path, name: str = "bicycles") -> Path:
    """Write a good advisory in English and Arabic and return its folder."""
    write(folder, f"{name}/advisory.toml", ADVISORY)
    write(folder, f"{name}/parents/en/email.md", EMAIL)
    write(folder, f"{name}/parents/en/sms.txt", SMS)
    write(folder, f"{name}/parents/ar/email.md", ARABIC_EMAIL)
    return folder / name


def renderer(folder: Path, *, country: str | None = None) -> Renderer:
    """Return a renderer over the made-up advisories and regions of a folder."""
    regions = (
        write_regions(folder / "regions") if country is None else write_regions(folder / "regions", country=country)
    )
    return Renderer(Library.load(folder / "advisories", LANGUAGES), Atlas.load(regions), LAYOUTS)
