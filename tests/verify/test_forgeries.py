"""Documents that somebody forged: none of them may be called sound, however they were edited."""

from __future__ import annotations

import base64
import hashlib
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "request"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import sample
from held import at, edited, other_nodes
from printing import needs_pango

from advisor.render import pages
from advisor.schema import Advice, Kind
from advisor.schema.estimate import NearRun
from advisor.search.grid import Stated
from advisor.search.hardware import find_hardware
from advisor.search.one import estimate_one, place_of
from advisor.search.own import workload_from_flags
from advisor.verify import NOT_SOUND, UNCHECKED, verify

pypdf = pytest.importorskip("pypdf")
from pypdf.annotations import FreeText  # noqa: E402 - after the look whether it is there
from pypdf.generic import ArrayObject, NameObject, StreamObject  # noqa: E402

pytestmark = pytest.mark.usefixtures("printed_once")

FALSE = "This run takes 2 hours and costs USD 3"


def noted(writer) -> None:
    """A free text over the key figures, as any reader of PDFs can put there."""
    note = FreeText(text=FALSE, rect=(40, 600, 560, 720), font_size="30pt", background_color="ffffff")
    writer.add_annotation(0, note)


def boxed(writer) -> None:
    """A white box drawn over the figures, whose text stays as it was."""
    page, box = writer.pages[0], StreamObject()
    box._data = b"q 1 1 1 rg 0 400 595 300 re f Q"
    more = writer._add_object(box)
    held = page["/Contents"]
    page[NameObject("/Contents")] = ArrayObject(
        [*(held if isinstance(held, ArrayObject) else [page.raw_get("/Contents")]), more]
    )


def cut(writer) -> None:
    """Without its last page."""
    writer.remove_page(len(writer.pages) - 1)


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (noted, "annotations on page 1"),
        (boxed, "what is drawn on page 1"),
        (cut, "its number of pages"),
        (lambda writer: None, "its bytes"),
    ],
)
def test_a_pdf_with_the_same_text_and_other_bytes_is_not_sound(report, knowledge, tmp_path, forge, words):
    writer = pypdf.PdfWriter(clone_from=str(report))
    forge(writer)
    writer.write(tmp_path / "forged.pdf")
    verdict = verify(tmp_path / "forged.pdf", knowledge)
    assert verdict.judged == NOT_SOUND and not verdict.printed.exact
    assert any(part.startswith(words) for part in verdict.printed.parts), verdict.printed.parts


def styled(page: str) -> str:
    more = f'.sentence{{font-size:0}}.sentence::after{{font-size:20px;content:"{FALSE}"}}'
    return page.replace("</style>", more + "</style>", 1)


def scripted(page: str) -> str:
    """Another script, with its hash in the policy."""
    script = re.search(r"<script>(.*?)</script>", page, re.S)[1]
    other = f'{script};document.querySelector(".sentence").textContent="{FALSE}";'

    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert digest(script) in page
    return page.replace(script, other).replace(digest(script), digest(other))


def redrawn(page: str) -> str:
    return re.sub(
        r"<svg.*?</svg>", lambda svg: re.sub(r"translate\((\d)", r"translate(9\1", svg[0]), page, flags=re.S
    )


def hidden(page: str) -> str:
    return page.replace('<p class="sentence"', '<p hidden class="sentence"', 1)


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (styled, ("its style sheet",)),
        (scripted, ("its script", "its policy (CSP)")),
        (redrawn, ("its drawings (SVG)",)),
        (hidden, ("attributes of its elements",)),
        (lambda page: page + "\n", None),
    ],
)
def test_html_with_the_same_text_and_other_markup_is_not_sound(report, knowledge, tmp_path, forge, words):
    page = report.with_name("report.html").read_text(encoding="utf-8")
    forged = forge(page)
    assert forged != page
    (tmp_path / "report.html").write_text(forged, encoding="utf-8")
    verdict = verify(tmp_path / "report.html", knowledge)
    assert verdict.judged == NOT_SOUND
    assert words is None or verdict.printed.parts == words


def test_a_page_that_names_other_pages_and_a_false_figure_could_not_be_checked(report, knowledge, tmp_path):
    page = report.with_name("report.html").read_text(encoding="utf-8")
    other = re.sub(r"pages [0-9a-f]{12}", "pages 000000000000", page)
    other = re.sub(r'(<span class="fig"[^>]*>)([\d.]+)', r"\g<1>9\2", other, count=1)
    (tmp_path / "report.html").write_text(other, encoding="utf-8")
    verdict = verify(tmp_path / "report.html", knowledge)
    assert verdict.judged == UNCHECKED and "another version made them" in verdict.unchecked[0]
    assert verdict.printed.missing


def test_a_pdf_that_names_other_pages_could_not_be_checked(report, knowledge, tmp_path):
    writer = pypdf.PdfWriter(clone_from=str(report))
    writer.add_metadata({"/Creator": "hwadvisor 0.1.0, pages 000000000000"})
    boxed(writer)
    writer.write(tmp_path / "forged.pdf")
    assert verify(tmp_path / "forged.pdf", knowledge).judged == UNCHECKED


def test_a_pdf_that_names_nothing_is_held_to_these_pages(report, knowledge, tmp_path):
    writer = pypdf.PdfWriter(clone_from=str(report))
    writer.metadata = None
    boxed(writer)
    writer.write(tmp_path / "forged.pdf")
    assert verify(tmp_path / "forged.pdf", knowledge).judged == NOT_SOUND


def test_what_made_a_document_names_the_libraries_that_set_it(monkeypatch):
    screen, print_ = pages.libraries(paged=False), pages.libraries(paged=True)
    assert screen != print_ and screen in pages.generator() and print_ in pages.generator(paged=True)
    monkeypatch.setattr(pages, "_version", lambda name: "0.0")
    pages.libraries.cache_clear()
    assert pages.libraries(paged=False) != screen
    monkeypatch.undo()
    pages.libraries.cache_clear()


def tenth(advice, **more):
    """A tenth of the rent, and no steps that would tell."""
    was = advice.estimates[0].quantities
    less = {
        name: one.model_copy(update={**{e: getattr(one, e) * 0.1 for e in ("value", "low", "high")}})
        for name, one in was.items()
        if "usd" in name
    }
    false = edited(advice, **less)
    bare = {n: q.model_copy(update={"trace": ""}) for n, q in false.estimates[0].quantities.items()}
    versions = advice.versions.model_copy(update=more)
    return edited(false, **bare).model_copy(update={"trace": {}, "versions": versions})


@pytest.mark.parametrize("other", [{"rules_digest": "0" * 64}, {"tool": "0"}])
def test_naming_other_rules_makes_no_false_figure_sound(real, knowledge, tmp_path, other):
    verdict = verify(at(tmp_path, tenth(real, **other)), knowledge)
    assert verdict.judged == UNCHECKED
    assert any("no steps are stored" in text for text in verdict.unchecked)
    assert any("here give other figures" in text for text in verdict.unchecked)
    assert verdict.again.differences[0].factor == pytest.approx(10)


@pytest.mark.parametrize("other", [{}, {"prices_as_of": "2020-01-01"}])
def test_the_same_without_naming_others_is_not_sound(real, knowledge, tmp_path, other):
    """Prices are among the rules, whose digest stays."""
    assert verify(at(tmp_path, tenth(real, **other)), knowledge).judged == NOT_SOUND


def test_steps_that_were_taken_out_are_named(real, knowledge, tmp_path):
    quantities = real.estimates[0].quantities
    bare = {name: one.model_copy(update={"trace": ""}) for name, one in quantities.items()}
    verdict = verify(at(tmp_path, edited(real, **bare).model_copy(update={"trace": {}})), knowledge)
    assert verdict.judged == NOT_SOUND and verdict.untraced and "no steps" in verdict.again.words[0]


@pytest.mark.parametrize("name", ["time_s", "calendar_s", "memory_bytes"])
def test_what_rules_compute_is_never_measured(real, knowledge, tmp_path, name):
    was = real.estimates[0].quantities[name]
    said = was.model_copy(update={"kind": Kind.measured, "source": "this machine"})
    verdict = verify(at(tmp_path, edited(real, **{name: said})), knowledge)
    assert verdict.judged == NOT_SOUND and f"{name} is said to be measured" in verdict.contradictions[0]


def test_every_figure_is_computed_again(real, knowledge, tmp_path):
    was = real.estimates[0].quantities["mfu"]
    more = was.model_copy(update={end: getattr(was, end) * 1.2 for end in ("value", "low", "high")})
    verdict = verify(at(tmp_path, edited(real, mfu=more)), knowledge)
    assert verdict.judged == NOT_SOUND and verdict.again.differences[0].quantity == "mfu"


def test_steps_fitting_and_sources_are_compared_too(real, knowledge, tmp_path):
    key, steps = next(iter(real.trace.items()))
    leaf = next(n for n, step in enumerate(steps) if step.kind == Kind.vendor and step.value)
    faster = steps[leaf].model_copy(update={"value": steps[leaf].value * 2})
    timed = steps[leaf].model_copy(update={"kind": Kind.measured})
    rent = real.estimates[0].quantities["rent_usd"]
    one = real.estimates[0].model_copy(update={"fits": not real.estimates[0].fits, "limit": ""})
    for false, words in (
        (real.model_copy(update={"trace": {key: (*steps[:leaf], faster, *steps[leaf + 1 :])}}), "the step"),
        (real.model_copy(update={"trace": {key: (*steps[:leaf], timed, *steps[leaf + 1 :])}}), "the step"),
        (edited(real, rent_usd=rent.model_copy(update={"source": "a friend"})), "the source of rent_usd"),
        (real.model_copy(update={"estimates": (one,)}), "whether it fits"),
    ):
        verdict = verify(at(tmp_path, false), knowledge)
        assert verdict.judged == NOT_SOUND and words in verdict.again.words[0]


def test_an_estimate_that_leans_on_unknown_runs_could_not_be_checked(real, knowledge, tmp_path):
    run = NearRun(id="mine-1", title="mine", source="mine", measured_s=1.0, rules_s=2.0, weight=0.9)
    one = real.estimates[0].model_copy(update={"near": (run,)})
    verdict = verify(at(tmp_path, real.model_copy(update={"estimates": (one,)})), knowledge)
    assert verdict.judged == UNCHECKED and "mine-1" in verdict.unchecked[0]


@needs_pango
def test_a_script_that_is_said_to_come_of_a_template_could_not_be_checked(real, knowledge, tmp_path):
    verdict = verify(other_nodes(tmp_path, real, template=True), knowledge)
    assert verdict.judged == UNCHECKED and "job.sbatch" in verdict.unchecked[0]


def test_html_without_its_data_says_what_to_ask_for(report, tmp_path, knowledge):
    page = report.with_name("report.html").read_text(encoding="utf-8")
    bare = re.sub(r'<p class="hint carried">.*?</p>', "", page)
    assert bare != page
    for name, text, judged, words in (
        ("report.html", bare, NOT_SOUND, "lacks the data that every page of hwadvisor carries"),
        ("half.html", page[:100_000], NOT_SOUND, "cut short"),
        ("other.html", "<html></html>", UNCHECKED, "carries no data"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        verdict = verify(tmp_path / name, knowledge)
        assert verdict.judged == judged and words in verdict.error and "PDF" in verdict.hint


@pytest.mark.parametrize("command", ["estimate", "plan", "probe", "calibrate", "scan"])
def test_a_file_cut_short_names_the_command_that_wrote_it(tmp_path, knowledge, command):
    whole = at(tmp_path, sample.gpu_machine().model_copy(update={"command": command}))
    text = whole.read_text()
    whole.write_text(text[: len(text) // 2])
    verdict = verify(whole, knowledge)
    assert verdict.judged == NOT_SOUND and f"`hwadvisor {command}`" in verdict.hint


def test_a_layout_with_degrees_of_one_comes_back_as_it_was(knowledge, tmp_path):
    """Experts not cut over devices are left out of the words, and must not be cut when made again."""
    job = workload_from_flags(knowledge.catalogue, "mixtral-8x7b", tokens=1e9)
    found = find_hardware(knowledge.catalogue, "32 x nvidia-h100-sxm5-80gb")
    place = place_of(found.entry, found.packages, found.nodes)
    stated = Stated(tp=4, recompute="full", micro_batch=1.0)
    one = estimate_one(knowledge.book, job, place, stated, knowledge.published, traced=True)
    true = Advice(
        stage="complete", created_at=sample.WHEN, command="estimate", versions=knowledge.versions(),
        workloads=(job,), estimates=(one.estimate,), trace=one.trace,
    )  # fmt: skip
    assert "ep" not in one.estimate.choices
    verdict = verify(at(tmp_path, true), knowledge)
    assert verdict.sound, verdict.again.differences[:2]
