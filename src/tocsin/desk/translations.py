"""The languages of the desk: texts are English in the source, and translated by a catalogue of gettext."""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

from tocsin.translatable import N_ as N_

LOCALES = Path(__file__).parent / "locales"
# By their tags (RFC 5646), each with its own name.
LANGUAGES = {"en": "English", "zh-CN": "简体中文"}
DEFAULT_LANGUAGE = "en"


def translated(language: str, text: str, **values: object) -> str:
    """Return a text of the source in a language, with its `%(name)s` filled in. It is not escaped."""
    label = translations(language).gettext(text)
    return label % values if values else label


@cache
def translations(language: str) -> gettext.NullTranslations:
    """Return the catalogue of a language; for one without any, texts stay as they are."""
    return gettext.translation("desk", LOCALES, [language.replace("-", "_")], fallback=True)


def preferred_language(accepted: str) -> str:
    """Return the first language of an `Accept-Language` header that the desk has; weights are not read."""
    for choice in accepted.split(","):
        tag = choice.partition(";")[0].strip().lower()
        for language in LANGUAGES:
            if tag and (tag == language.lower() or tag.split("-")[0] == language.split("-")[0]):
                return language
    return DEFAULT_LANGUAGE
