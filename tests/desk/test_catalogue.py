"""The desk's texts are all translated: what `make translations` finds in the source is in each catalogue."""

from __future__ import annotations

import gettext
import re

import pytest

from tests.documentation import ROOT
from tocsin.desk.translations import DEFAULT_LANGUAGE, LANGUAGES, LOCALES

SOURCES = ("src/tocsin/desk", "src/tocsin/investigation", "src/tocsin/response")
PLACEHOLDER = re.compile(r"%\((\w+)\)s|%(?!\()\S|\{[^{}]+\}")
TRANSLATED = sorted(LANGUAGES.keys() - {DEFAULT_LANGUAGE})


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """The texts of the source, found as `make translations` finds them: a text, or one and many of it."""
    from babel.messages.frontend import CommandLineInterface
    from babel.messages.pofile import read_po

    found_file = tmp_path_factory.mktemp("texts") / "desk.pot"
    command = ["pybabel", "--quiet", "extract", "--mapping", str(ROOT / "babel.cfg"), "--keyword", "N_"]
    CommandLineInterface().run([*command, "--output", str(found_file), *(str(ROOT / path) for path in SOURCES)])
    with found_file.open("rb") as file:
        return {message.id for message in read_po(file) if message.id}


def catalogue_of(language):
    from babel.messages.pofile import read_po

    with (LOCALES / language.replace("-", "_") / "LC_MESSAGES" / "desk.po").open("rb") as file:
        return [message for message in read_po(file) if message.id]


def strings(message):
    return message.string if isinstance(message.string, tuple) else (message.string,)


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated(texts, language):
    messages = catalogue_of(language)
    assert len(texts) > 500
    assert texts - {message.id for message in messages} == set(), "run `make translations`, and translate these"
    assert {message.id for message in messages} - texts == set(), "run `make translations`"
    assert [message.id for message in messages if not all(strings(message))] == []
    assert [message.id for message in messages if message.fuzzy] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_placeholders_are_those_of_the_text(language):
    """A text of one and many has those of many: languages without a plural have one text for both."""
    for message in catalogue_of(language):
        wanted = message.id[-1] if isinstance(message.id, tuple) else message.id
        for string in strings(message):
            assert sorted(PLACEHOLDER.findall(string)) == sorted(PLACEHOLDER.findall(wanted)), message.id


@pytest.mark.parametrize("language", TRANSLATED)
def test_what_is_compiled_is_of_this_catalogue(language):
    compiled = gettext.translation("desk", LOCALES, [language.replace("-", "_")])
    for message in catalogue_of(language):
        if isinstance(message.id, str):
            assert compiled.gettext(message.id) == message.string, "run `make translations`"
        else:
            one_of_it, many_of_it = message.id
            assert compiled.ngettext(one_of_it, many_of_it, 2) == message.string[-1], "run `make translations`"


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_writes_markup_or_loses_its_edges(language):
    for message in catalogue_of(language):
        for string in strings(message):
            assert "<" not in string, message.id
            assert not re.search(r"[,;!?]\s*$", string), f"{message.id} ends with a Latin mark"
