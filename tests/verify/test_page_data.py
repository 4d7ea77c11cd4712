"""HTML documents carry their data: read from the page alone, checked like a PDF, and no hiding place."""

from __future__ import annotations

import base64
import gzip
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import sample
from held import edited

from advisor.cli.request import _complete
from advisor.cli.request import made as made_job
from advisor.compare import compare
from advisor.data.advice import load_advice, stored_text
from advisor.data.embedded import load_any
from advisor.data.page_files import link
from advisor.redact import redact
from advisor.render import render_report
from advisor.render.comments import commented
from advisor.render.compare_page import render_comparison
from advisor.render.request_page import attached, render_request
from advisor.request import Options, Site, pick, write
from advisor.schema import Notice
from advisor.verify import NOT_SOUND, verify

LINK = re.compile(r'<a class="file".*?</a>')
HOSTILE = "</script></style><!-- ]]> --> <a download='x' href='data:,'> \u202e\x00"


@pytest.fixture(scope="module")
def page(real, tmp_path_factory) -> Path:
    """The HTML of a true estimate, alone in its folder."""
    folder = tmp_path_factory.mktemp("page")
    render_report(real, folder, formats=("html",))
    return folder / "report.html"


def of(page: Path, folder: Path, text: str, name: str = "report.html") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    assert text != page.read_text(encoding="utf-8")
    return folder / name


def test_the_page_alone_is_checked_like_a_pdf(page, real, knowledge):
    verdict = verify(page, knowledge)
    assert verdict.sound and verdict.kind == "report" and verdict.printed.exact
    assert verdict.printed.figures > 50 and verdict.again.figures >= 4
    assert load_any(page) == real


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_requests_and_comparisons_too(real, knowledge, tmp_path, lang):
    held, choice = _complete(redact(real), pick(real), ())
    job = made_job(held, Site(), Options(), choice.label, None)
    files, _ = write(job, "slurm")
    record = {"scheduler": "slurm", "kind": "job", "site": {}, "target": choice.label, "wall_limit_s": None,
              "options": {"command": ["train.py"]}}  # fmt: skip
    data = attached(held, commented(files, lang), record)
    render_request(held, job, data, tmp_path, formats=("html",), lang=lang)
    sides, names = (real, real), ("one", "</script><!--")
    render_comparison(sides, compare(*sides, names), tmp_path, formats=("html",), lang=lang)
    for name, kind in (("request.html", "request"), ("compare.html", "comparison")):
        verdict = verify(tmp_path / name, knowledge)
        assert verdict.sound and verdict.kind == kind and verdict.printed.exact, verdict


def test_what_is_saved_from_the_page_is_the_advice(page, real, knowledge, tmp_path):
    data = re.search(
        r'download="advice.json.gz" href="data:application/gzip;base64,([^"]*)"', page.read_text()
    )
    saved = tmp_path / "advice.json.gz"
    saved.write_bytes(base64.b64decode(data[1]))
    assert gzip.decompress(saved.read_bytes()).decode() == stored_text(real)
    assert load_advice(saved) == load_any(saved) == real
    assert verify(saved, knowledge).sound


def test_a_false_figure_in_the_data_or_on_the_page_is_found(page, real, knowledge, tmp_path):
    was = real.estimates[0].quantities["calendar_s"]
    half = {end: getattr(was, end) / 2 for end in ("value", "low", "high")}
    other = link("advice.json", stored_text(edited(real, calendar_s=was.model_copy(update=half))))
    text = page.read_text(encoding="utf-8")
    false = verify(of(page, tmp_path, LINK.sub(lambda _: other, text)), knowledge)
    assert false.judged == NOT_SOUND and false.printed.missing and false.again.unexplained
    shown = re.sub(r'(<span class="fig"[^>]*>)([\d.]+)', r"\g<1>9\2", text, count=1)
    false = verify(of(page, tmp_path, shown), knowledge)
    assert false.judged == NOT_SOUND and false.printed.missing


def test_the_same_data_written_otherwise_is_not_what_was_made(page, real, knowledge, tmp_path):
    other = link("advice.json", real.model_dump_json())
    text = LINK.sub(lambda _: other, page.read_text(encoding="utf-8"))
    verdict = verify(of(page, tmp_path, text), knowledge)
    assert verdict.judged == NOT_SOUND and verdict.printed.parts == ("the data it carries, as it is written",)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda one: one + one, "twice"),
        (lambda one: one.replace("base64,H4sI", "base64,AAAA"), "damaged data"),
        (lambda one: one[:200] + one[-40:], "damaged data"),
    ],
)
def test_damaged_data_is_told_in_one_line(page, knowledge, tmp_path, edit, words):
    text = LINK.sub(lambda one: edit(one[0]), page.read_text(encoding="utf-8"))
    verdict = verify(of(page, tmp_path, text), knowledge)
    assert verdict.judged == NOT_SOUND and words in verdict.error
    assert "\n" not in verdict.error and verdict.hint


def test_hostile_data_is_inert_and_comes_back_whole(tmp_path):
    advice = sample.gpu_machine().model_copy(
        update={"estimates": (), "trace": {}, "workloads": (),
                "notices": (Notice(code="x", message=HOSTILE, hint=HOSTILE),)}
    )  # fmt: skip
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        render_report(advice, tmp_path / name, formats=("html",))
    text = (tmp_path / "one" / "report.html").read_text(encoding="utf-8")
    assert text == (tmp_path / "two" / "report.html").read_text(encoding="utf-8")
    assert load_any(tmp_path / "one" / "report.html").notices[0].message == HOSTILE
    assert "<!--" not in text and "]]>" not in text and "\u202e" not in text and "\x00" not in text
    assert text.count("</script>") == 1 and text.count("</style>") == 1 and len(LINK.findall(text)) == 1
    assert set(re.findall(r'href="(?!#)([a-z]+:)', text)) == {"data:"}


def test_the_data_costs_a_page_little(page):
    text = page.read_text(encoding="utf-8")
    assert len(LINK.search(text)[0]) < 0.4 * len(stored_text(load_any(page)))
