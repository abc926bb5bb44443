"""The dossier's PDF: PDF/A-2a and PDF/UA-1, tagged, in both languages."""

import io
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unicodedata import category

import pytest
from pypdf import PdfReader
from pypdf.generic import DictionaryObject, IndirectObject

from mlstrata.evidence import Language, Part, pdf
from mlstrata.evidence.annex_iv import TITLES, annex_iv
from mlstrata.evidence.architecture import architecture
from mlstrata.evidence.blocks import Document, Section, Status, Text, table
from mlstrata.evidence.drawing import Words
from mlstrata.evidence.language import say, speaking
from tests.unit.policies.evidence.test_evidence import known, text_of

PARTS = (
    Part("mlstrata:gateway:Gateway", "gateway"),
    Part("mlstrata:serving:Serving", "mortgage", "serving", own=True),
)


def tags(element: Any) -> Iterator[DictionaryObject]:
    """Every element of the tree of tags, in reading order."""
    found = element.get_object() if isinstance(element, IndirectObject) else element
    if isinstance(found, list):
        for one in found:
            yield from tags(one)
    elif isinstance(found, DictionaryObject):
        if "/S" in found:
            yield found
        if "/K" in found:
            yield from tags(found["/K"])


def kinds(reader: PdfReader) -> list[str]:
    return [str(one["/S"]) for one in tags(reader.trailer["/Root"]["/StructTreeRoot"])]


@pytest.fixture(scope="module", params=list(Language))
def written(request) -> tuple[Language, PdfReader]:
    with speaking(request.param):
        evidence = replace(known(parts=PARTS), language=request.param)
        return request.param, PdfReader(io.BytesIO(pdf.render(annex_iv(evidence), evidence.day)))


def test_it_says_that_it_is_pdf_a_level_a_and_pdf_ua(written):
    language, reader = written
    root = reader.trailer["/Root"]
    metadata = root["/Metadata"].get_data().decode()
    for said in ("<pdfaid:part>2<", "<pdfaid:conformance>A<", "<pdfuaid:part>1<"):
        assert said in metadata
    assert root["/Lang"] == str(language)
    assert root["/MarkInfo"]["/Marked"] is not None
    assert bool(root["/MarkInfo"]["/Marked"]) is True
    assert bool(root["/ViewerPreferences"]["/DisplayDocTitle"]) is True
    assert [one.get_object()["/S"] for one in root["/OutputIntents"]] == ["/GTS_PDFA1"]
    with speaking(language):
        assert say("Technical documentation (AI Act, Annex IV): {name}", name="mortgage") in str(reader.metadata.title)


def test_headings_tables_and_pictures_have_their_tags(written):
    _, reader = written
    found = kinds(reader)
    assert {"/H1", "/H2", "/Table", "/TH", "/TD", "/Figure", "/Caption", "/TOC"} <= set(found)
    assert found.count("/H1") == len(TITLES) + 2
    every = list(tags(reader.trailer["/Root"]["/StructTreeRoot"]))
    pictures = [one for one in every if one["/S"] == "/Figure" and "/Alt" in one]
    assert len(pictures) == len(annex_iv(known(parts=PARTS)).figures)
    assert any("ROC" in str(one["/Alt"]) for one in pictures)
    assert any("Gateway" in str(one["/Alt"]) for one in pictures), "a picture of the architecture is told in words"
    grids = [one for one in every if one["/S"] == "/Table"]
    assert all("/TH" in [str(cell["/S"]) for cell in tags(grid["/K"])] for grid in grids), "no table without a heading"


def test_bookmarks_lead_to_the_sections(written):
    language, reader = written
    with speaking(language):
        titles = [say(title) for title in ("Completeness", *TITLES, "Signatures")]
    assert [str(one["/Title"]) for one in reader.outline if not isinstance(one, list)] == titles


def test_every_font_is_in_the_file(written):
    _, reader = written
    fonts = [font.get_object() for page in reader.pages for font in page["/Resources"].get("/Font", {}).values()]
    assert fonts
    for font in fonts:
        (inner,) = font["/DescendantFonts"]
        assert {"/FontFile2", "/FontFile3"} & set(inner.get_object()["/FontDescriptor"])
        assert "/ToUnicode" in font


def page_of(text: str) -> Document:
    rows = [(text, text)]
    return Document("a", text, text, (Section(text, (Text(text, Status.NOTE), table((), rows, Status.NOTE, text))),))


def test_the_font_has_each_character_that_is_not_spelled_out():
    """In plain and in bold letters: the library refuses a PDF/A with a character that its font lacks."""
    every = [chr(code) for code in range(0x20, 0x3000) if category(chr(code))[0] not in "CM"]
    shown = "".join(char for char in every if pdf.known(char) == char)
    assert len(shown) > 1000
    assert pdf.render(page_of(" ".join(shown[at : at + 40] for at in range(0, len(shown), 40)))).startswith(b"%PDF-1.7")


def test_what_the_font_lacks_is_spelled_out_and_never_lost():
    told = text_of(pdf.render(page_of("Ana 中 é e\u0301 😀 \u202e x")))
    assert "Ana [U+4E2D] é é [U+1F600] [U+202E] x" in told


@pytest.mark.parametrize(
    "text", ["#panic()", "= x", "*a* _b_ $x$ `c` <d> @e \\ [", '"; #read("/etc/passwd")', "//x /*"]
)
def test_no_text_is_read_as_markup(text: str):
    assert text in text_of(pdf.render(page_of(text)))


def test_a_long_word_breaks_where_its_column_ends_and_stays_whole_where_it_fits():
    cells = ("2026-11-20T08:30:00+00:00", "cd" * 32)
    grid = table(("when", "hash"), [cells], Status.NOTE, "", (0.15, 0.85))
    told = text_of(pdf.render(Document("a", "A", "B", (Section("C", (grid,)),))))
    assert cells[1] in told, "a hash can be copied"
    assert cells[0] not in told
    assert cells[0] in told.replace("\u200b", "").replace("\n", "")


def test_without_the_library_one_message_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(pdf.PdfUnavailable, match="typst, which writes PDF, cannot be used here"):
        pdf.render(page_of("a"))


def test_the_picture_has_what_the_plan_holds_and_no_more():
    drawn = architecture(PARTS)
    assert drawn is not None
    assert drawn[1] == "People and programs to Gateway: requests; Gateway to Model server: inputs"
    bold = [shape.text for shape in drawn[0].shapes if isinstance(shape, Words) and shape.bold]
    assert bold == ["Model server"], "what is of the system alone stands out"
    assert architecture((Part("kubernetes:core/v1:ConfigMap", "a"),)) is None
