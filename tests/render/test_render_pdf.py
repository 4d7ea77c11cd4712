"""The PDF: tagged, its data attached, the same each time, skipped in one line when it cannot be made."""

from __future__ import annotations

import csv
import importlib.abc
import io
import json
import sys
from pathlib import Path

import pytest
import sample
from printing import can_print, needs_pango

from advisor.data.advice import stored_text
from advisor.errors import DataError, MissingLibrary
from advisor.render import check_pdf_support, fonts, pdf, render_report
from advisor.render.attach import candidates_csv
from advisor.schema import Advice

pypdf = pytest.importorskip("pypdf")

SMALL = sample.gpu_machine().model_copy(
    update={"estimates": (), "workloads": (), "trace": {}, "accelerators": (), "calibration": None}
)


SMALL_ESTIMATE = sample.gpu_machine().estimates[0]
TINY = Advice(machine=SMALL.machine.model_copy(update={"devices": ()}), created_at=sample.WHEN)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """The whole report of the synthetic GPU machine, made once."""
    if not can_print():
        pytest.skip("WeasyPrint or Pango is not here")
    folder = tmp_path_factory.mktemp("full")
    advice = sample.gpu_machine()
    result = render_report(advice, folder)
    return advice, result, pypdf.PdfReader(io.BytesIO((folder / "report.pdf").read_bytes()))


def test_both_formats_are_written(full):
    _, result, _ = full
    assert [path.name for path in result.written] == ["report.html", "report.pdf"]
    assert result.skipped == () and result.notices == ()
    assert set(result.seconds) == {"charts", "html", "pdf"}


def test_attachment_is_the_advice_itself(full):
    advice, _, reader = full
    assert list(reader.attachments) == ["advice.json", "candidates.csv"]
    attached = reader.attachments["advice.json"][0].decode("utf-8")
    assert attached == stored_text(advice)
    assert Advice.model_validate(json.loads(attached)) == advice


def test_every_attachment_is_associated_once(full):
    _, _, reader = full
    files = [ref.get_object()["/F"] for ref in reader.root_object["/AF"]]
    assert sorted(files) == ["advice.json", "candidates.csv"]


def test_every_estimate_is_a_line_of_the_attached_table(full):
    advice, _, reader = full
    rows = list(csv.DictReader(io.StringIO(reader.attachments["candidates.csv"][0].decode("utf-8"))))
    assert len(rows) == len(advice.estimates)
    for row, estimate in zip(rows, advice.estimates, strict=True):
        assert row["target"] == estimate.target.label and row["purpose"] == estimate.purpose
        time = estimate.quantities["time_s"].value
        assert row["time_s"] == "" if time is None else float(row["time_s"]) == pytest.approx(time, rel=1e-5)


def test_a_name_that_begins_like_a_formula_stays_text():
    estimate = SMALL_ESTIMATE.model_copy(
        update={"target": SMALL_ESTIMATE.target.model_copy(update={"label": "=1+1"})}
    )
    assert ",'=1+1," in candidates_csv(SMALL.model_copy(update={"estimates": (estimate,)}))


def test_pages_bookmarks_and_tags(full):
    _, _, reader = full
    assert 6 <= len(reader.pages) <= 12
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert reader.trailer["/Root"]["/Lang"] == "en"
    assert b'pdfaid:part="3"' in reader.trailer["/Root"]["/Metadata"].get_data()
    titles = [entry.title for entry in reader.outline[0:1]] + [
        entry.title
        for group in reader.outline
        if isinstance(group, list)
        for entry in group
        if not isinstance(entry, list)
    ]
    assert titles[0] == "Hardware report: synthetic-gpu"
    assert "The machine" in titles and "Why a GPU? Isn’t it the CPU and the disk?" in titles


def test_first_page_stands_alone(full):
    _, _, reader = full
    first = reader.pages[0].extract_text()
    assert "can train 6 of 9 workloads" in first.replace("\n", " ")
    assert (
        "What to do next" in first and "Where a figure comes from" in first
    )  # all of it, down to the legend
    assert "1 / " in first  # page number
    assert "The machine" in reader.pages[1].extract_text()


def test_only_the_shipped_font_is_used_for_english(full):
    _, _, reader = full
    names = {
        str(font.get_object()["/BaseFont"])
        for page in reader.pages
        for font in page["/Resources"]["/Font"].values()
    }
    assert names and all("Report-Sans" in name for name in names), names


def test_links_stay_inside(full):
    _, _, reader = full
    notes = [note.get_object() for page in reader.pages for note in page.get("/Annots", [])]
    assert notes
    assert not [note for note in notes if "/URI" in note.get("/A", {})]


@needs_pango
def test_same_advice_same_bytes(tmp_path):
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        render_report(TINY, tmp_path / name, formats=["pdf"])
        made.append((tmp_path / name / "report.pdf").read_bytes())
    assert made[0] == made[1]


@needs_pango
def test_local_files_cannot_be_drawn_in(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret of this machine")
    url = secret.as_uri()
    page = (
        f'<html lang="en"><title>x</title><link rel="stylesheet" href="{url}"><body>'
        f'<img alt="x" src="{url}"><a rel="attachment" href="{url}">a</a></body></html>'
    )
    made, complaints = pdf.write_pdf(page, [pdf.Data("advice.json", "x", "{}")], None)
    assert complaints and all("disallowed protocol" in complaint for complaint in complaints)
    reader = pypdf.PdfReader(io.BytesIO(made))
    assert list(reader.attachments) == ["advice.json"]
    assert not any(b"secret of this machine" in stream for stream in _streams(reader))


def _streams(reader):
    for number in range(1, len(reader.xref[0]) + 1):
        found = reader.get_object(number)
        if hasattr(found, "get_data"):
            yield found.get_data()


@needs_pango
def test_a_library_that_breaks_costs_the_pdf_alone(tmp_path, monkeypatch):
    def broken(*args, **options):
        raise IndexError("layout <went> wrong")

    monkeypatch.setattr(pdf.load_weasyprint().HTML, "write_pdf", broken)
    result = render_report(TINY, tmp_path)
    assert [path.name for path in result.written] == ["report.html"]
    assert "IndexError: layout <went> wrong" in result.skipped[0][1]


class _Refuse(importlib.abc.MetaPathFinder):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def find_spec(self, name, path=None, target=None):
        if name == "weasyprint":
            print("\n-----\n\nWeasyPrint could not import.")  # as the real one does
            raise self.error


@pytest.mark.parametrize(
    ("error", "reason", "hint"),
    [
        (
            OSError(
                "cannot load library 'libgobject-2.0-0': libgobject-2.0-0: cannot open shared object file: "
                "No such file or directory.  Additionally, ctypes.util.find_library() did not manage to …"
            ),
            "WeasyPrint cannot load the system library libgobject-2.0-0",
            "libpango-1.0-0",
        ),
        (
            OSError("libpango-1.0.so.0: invalid ELF header\nmore"),
            "WeasyPrint cannot load the system library libpango-1.0.so",
            "libpango-1.0-0",
        ),
        (OSError("no more memory"), "WeasyPrint cannot load Pango or what it needs", "libpango-1.0-0"),
        (ModuleNotFoundError("No module named 'weasyprint'"), "not installed", "pip install"),
    ],
)
def test_without_weasyprint_the_html_is_still_written(  # noqa: PLR0917
    tmp_path, monkeypatch, capsys, error, reason, hint
):
    for name in [name for name in sys.modules if name.partition(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Refuse(error), *sys.meta_path])
    monkeypatch.setattr(sys, "platform", "linux")
    result = render_report(SMALL, tmp_path)
    assert [path.name for path in result.written] == ["report.html"]
    [(name, why, how)] = result.skipped
    assert name == "pdf" and reason in why and "\n" not in why and hint in how
    if isinstance(error, OSError):
        assert why == reason, "the name alone, not the loader's search"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html"]
    assert capsys.readouterr().out == ""  # stdout may be carrying JSON
    rows = {row[0]: row for row in check_pdf_support()}
    assert rows["WeasyPrint"][1] is False and hint in rows["WeasyPrint"][3]


def test_hint_fits_the_system():
    assert pdf.install_hint("linux").startswith("apt install libpango")
    assert pdf.install_hint("darwin").startswith("brew ")


@pytest.fixture
def no_fonts(monkeypatch):
    """A system without fontconfig fonts, and without the shipped font either if asked."""
    monkeypatch.setattr(fonts, "system_characters", lambda wanted: frozenset())
    return monkeypatch


def test_no_font_at_all_skips_the_pdf(tmp_path, no_fonts):
    no_fonts.setattr(fonts, "shipped_characters", frozenset)
    no_fonts.setattr(fonts, "chinese_characters", frozenset)
    if not can_print():
        pytest.skip("WeasyPrint or Pango is not here")
    result = render_report(SMALL, tmp_path)
    assert [path.name for path in result.written] == ["report.html"]
    assert "no installed font" in result.skipped[0][1] and "apt install fonts-" in result.skipped[0][2]
    assert not (tmp_path / "report.pdf").exists()


def test_characters_without_a_glyph_are_written_as_codes(no_fonts):
    page = pdf.printable("<p>ไท 机 é</p>", own_text="")
    assert page.html == "<p>[U+0E44][U+0E17] 机 é</p>" and page.replaced == ("ท", "ไ")


@pytest.mark.parametrize("length", [0, 100, 3000])
def test_a_damaged_font_is_told_in_words(tmp_path, length):
    whole = next(iter(fonts.shipped_faces().values()))
    (tmp_path / "cut.woff2").write_bytes(whole.read_bytes()[:length])
    with pytest.raises(DataError, match=r"cut\.woff2: holds no whole font"):
        fonts._covered((tmp_path / "cut.woff2",))


def test_a_language_without_its_font_is_refused(no_fonts):
    with pytest.raises(MissingLibrary, match="no installed font"):
        pdf.printable("<p>ไทย and more</p>", own_text="ไทย")


def test_style_sheet_is_no_text_to_print():
    assert "Z" not in pdf.visible_text("<style>Z</style><p>a&eacute;</p>")
    assert "é" in pdf.visible_text("<style>Z</style><p>a&eacute;</p>")


def test_shipped_font_covers_what_it_should():
    shipped = fonts.shipped_characters()
    assert set("µΩ×–—…≥≤→°²“”’é") <= shipped
    assert "中" not in shipped and not fonts.uncovered("中") and fonts.uncovered("ไ") <= {"ไ"}
    assert sum(path.stat().st_size for path in fonts.shipped_faces().values()) < 100_000
    assert (Path(next(iter(fonts.shipped_faces().values()))).parent / "LICENSE-OFL.txt").is_file()


def test_doctor_rows_have_a_hint_when_something_is_missing():
    rows = check_pdf_support()
    assert [row[0] for row in rows] == ["WeasyPrint", "harfbuzz-subset", "Fonts"]
    assert all(ok or hint for _, ok, _, hint in rows)
