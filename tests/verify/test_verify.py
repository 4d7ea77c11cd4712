"""Files that were tampered with are found out; sound ones are made again to the last figure."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "render"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "request"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import sample
from held import at, counted, edited, other_nodes
from printing import needs_pango

from advisor.cli.request import _complete
from advisor.cli.request import made as made_job
from advisor.compare import compare
from advisor.data.advice import load_advice
from advisor.data.embedded import load_any
from advisor.errors import UserError
from advisor.redact import redact
from advisor.render import pages, render_report
from advisor.render.comments import commented
from advisor.render.compare_page import render_comparison
from advisor.render.request_page import attached, render_request
from advisor.request import Options, Site, pick, write
from advisor.schema import Quantity
from advisor.verify import NOT_SOUND, NOT_WHO, UNCHECKED, verify
from advisor.verify.consistent import contradictions
from advisor.verify.inputs import inputs_by_kind
from advisor.verify.printed import compare_texts, figures

pypdf = pytest.importorskip("pypdf")


def test_a_true_estimate_is_sound_and_comes_out_the_same(real, knowledge, tmp_path):
    verdict = verify(at(tmp_path, real), knowledge)
    assert verdict.sound and verdict.kind == "data" and verdict.tool == real.versions.tool
    assert verdict.again.figures >= 4 and not verdict.again.differences and not verdict.again.failed
    assert verdict.again.same_rules and verdict.again.same_prices


@pytest.mark.parametrize("name", ["time_s", "memory_bytes", "rent_usd"])
def test_one_edited_figure_is_found_by_its_own_steps(real, knowledge, tmp_path, name):
    was = real.estimates[0].quantities[name]
    better = was.model_copy(update={"value": (was.low + was.value) / 2})
    verdict = verify(at(tmp_path, edited(real, **{name: better})), knowledge)
    assert not verdict.sound and "own steps" in verdict.contradictions[0]


def test_a_figure_edited_with_its_trace_is_found_by_computing_again(real, knowledge, tmp_path):
    was = real.estimates[0].quantities["calendar_s"]
    ranged = {end: getattr(was, end) * 0.9 for end in ("value", "low", "high")}
    verdict = verify(at(tmp_path, edited(real, calendar_s=was.model_copy(update=ranged))), knowledge)
    assert not verdict.contradictions and not verdict.sound and verdict.again.unexplained
    assert verdict.again.differences[0].quantity == "calendar_s"
    assert verdict.again.differences[0].factor == pytest.approx(1 / 0.9)


def test_other_rules_are_a_difference_and_no_fraud(real, knowledge, tmp_path):
    was = real.estimates[0].quantities["calendar_s"]
    other = edited(real, calendar_s=was.model_copy(update={"high": was.high * 1.1}))
    other = other.model_copy(update={"versions": real.versions.model_copy(update={"rules_digest": "0" * 64})})
    verdict = verify(at(tmp_path, other), knowledge)
    assert verdict.judged == UNCHECKED and not verdict.false
    assert verdict.again.differences and not verdict.again.same_rules
    assert "other rules here give other figures" in verdict.unchecked


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: edited(a, energy_j=Quantity(value=5, low=6, high=7, unit="J")), "outside its own range"),
        (lambda a: a.model_copy(update={"workloads": ()}), "no such workload"),
        (lambda a: a.model_copy(update={"trace": {}}), "steps behind"),
        (
            lambda a: a.model_copy(update={"trace": {k: s[3:] for k, s in a.trace.items()}}),
            "missing from the trace",
        ),
        (lambda a: edited(a, memory_usable=Quantity(value=1.0, unit="B")), "said to fit"),
        (lambda a: counted(a, devices=1), "numbers of devices are others"),
        (lambda a: counted(a, label="1 x nvidia-h100-sxm5-80gb"), "numbers of devices are others"),
    ],
)
def test_contradictions(real, change, words):
    assert any(words in text for text in contradictions(change(real)))


def test_a_machine_s_own_contradictions():
    advice = sample.gpu_machine()
    assert not [text for text in contradictions(advice) if "measured" in text]
    first = advice.calibration.measurements[0]
    twice = advice.calibration.model_copy(update={"measurements": (first, first)})
    assert any("twice" in text for text in contradictions(advice.model_copy(update={"calibration": twice})))


def test_inputs_are_told_by_kind(real):
    kinds = inputs_by_kind(real)
    assert any(text.startswith("samples = ") for text in kinds["stated"])
    assert kinds["measured"] == [] and kinds["overridden"] == []
    assert any("bf16" in text or "batch" in text for text in kinds["assumed"])
    assert len(inputs_by_kind(sample.gpu_machine())["measured"]) == len(
        sample.gpu_machine().calibration.measurements
    )


def test_a_report_is_made_again_byte_for_byte(report, knowledge):
    for name in ("report.pdf", "report.html"):
        verdict = verify(report.with_name(name), knowledge)
        assert verdict.sound and verdict.kind == "report" and verdict.printed.exact, name
        assert verdict.printed.figures > 50


def test_a_page_that_says_other_than_its_data_is_found(report, real, knowledge, tmp_path):
    """The pages of one advice with the data of another: as if somebody had edited either."""
    was = real.estimates[0].quantities["time_s"]
    half = was.model_copy(update={end: getattr(was, end) / 2 for end in ("value", "low", "high")})
    render_report(edited(real, time_s=half), tmp_path, formats=("pdf",))
    reader = pypdf.PdfReader(io.BytesIO((tmp_path / "report.pdf").read_bytes()))
    writer = pypdf.PdfWriter()
    for page in reader.pages:
        writer.add_page(page)
    for name, parts in pypdf.PdfReader(str(report)).attachments.items():
        writer.add_attachment(name, parts[0])
    forged = tmp_path / "forged.pdf"
    with forged.open("wb") as file:
        writer.write(file)
    verdict = verify(forged, knowledge)
    assert not verdict.sound and verdict.printed.missing and not verdict.contradictions


@needs_pango
def test_an_edited_script_in_a_request_is_found(real, knowledge, tmp_path):
    verdict = verify(other_nodes(tmp_path, real), knowledge)
    assert not verdict.sound and verdict.printed.files == ("job.sbatch",)


def test_an_edited_page_of_html_is_found(report, knowledge, tmp_path):
    text = report.with_name("report.html").read_text()
    shown = figures(text.partition("</style>")[2])
    number = next(f for f in reversed(shown) if "." in f and len(f) > 3)
    (tmp_path / "report.html").write_text(
        text.replace(f">{number}", ">987.6").replace(f" {number}", " 987.6")
    )
    assert not verify(tmp_path / "report.html", knowledge).sound


@needs_pango
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_requests_are_made_again_byte_for_byte(real, knowledge, tmp_path, lang):
    options = Options(name="mine", headroom=0.3)
    held, choice = _complete(redact(real), pick(real), ())
    job = made_job(held, Site(), options, choice.label, 3600.0 * 6)
    files, _ = write(job, "slurm")
    record = {
        "scheduler": "slurm", "kind": "job", "site": {}, "target": choice.label, "wall_limit_s": 3600.0 * 6,
        "options": {"name": "mine", "headroom": 0.3, "command": ["train.py"]},
    }  # fmt: skip
    render_request(held, job, attached(held, commented(files, lang), record), tmp_path, lang=lang)
    verdict = verify(tmp_path / "request.pdf", knowledge)
    assert verdict.sound and verdict.kind == "request" and verdict.printed.exact
    assert len(pypdf.PdfReader(str(tmp_path / "request.pdf")).pages) == 1
    assert load_any(tmp_path / "request.pdf") == held


@needs_pango
@pytest.mark.slow
def test_the_time_of_day_is_in_no_pdf(tmp_path, lang="zh"):  # whose faces are subset anew for each page
    """Two processes that believe in different days write the same bytes."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import sample; from pathlib import Path\n"
        "from advisor.render import render_report; from advisor.schema import Advice\n"
        "m = sample.gpu_machine().machine.model_copy(update={'devices': ()})\n"
        "a = Advice(machine=m, created_at=sample.WHEN)\n"
        "render_report(a, Path(sys.argv[2]), lang=sys.argv[3])\n"
    )
    found = []
    for day in ("86400", "900000000"):
        folder = tmp_path / day
        folder.mkdir()
        environment = {**os.environ, "SOURCE_DATE_EPOCH": day, "PYTHONHASHSEED": day[:2]}
        where = str(Path(sample.__file__).parent)
        subprocess.run([sys.executable, "-c", code, where, str(folder), lang], check=True, env=environment)
        found.append([(folder / name).read_bytes() for name in ("report.html", "report.pdf")])
    assert found[0][0] == found[1][0]
    assert found[0][1] == found[1][1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b'{"schema_version": 1, "stage"', "not whole JSON"),
        (b'{"schema_version": 99, "versions": {"tool": "9.9"}}', "by hwadvisor 9.9 in a newer format"),
        (b'{"schema_version": 1, "stagee": 1}', "stagee"),
        (b"%PDF-1.7\nnothing more", "no whole PDF"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"[]", "no advice.json"),
    ],
)
def test_broken_files_are_told_in_one_line_with_a_hint(knowledge, tmp_path, content, words):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    verdict = verify(path, knowledge)
    assert not verdict.sound and words in verdict.error and "\n" not in verdict.error and verdict.hint


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.pdf", b"plain text", "is not a PDF, though its name says so"),
        ("x.pdf", b'{"schema_version": 1}', "is not a PDF"),
        ("x.pdf", b"", "is empty"),
        ("x.html", b"%PD", "is not an HTML page"),
        ("x.json.gz", gzip.compress(b'{"schema_version": 1}')[:-6], "is no whole gzip file"),
        ("x.json.gz", gzip.compress(b"\xff\xff"), "is no whole gzip file"),
        ("x.json", b"\x00" * 40, "not whole JSON"),
    ],
)
def test_files_that_are_not_what_they_are_called(knowledge, tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    verdict = verify(path, knowledge)
    assert verdict.judged == NOT_SOUND and words in verdict.error
    assert "\n" not in verdict.error and verdict.hint


def test_a_mark_before_the_text_does_no_harm(real, knowledge, tmp_path):
    path = at(tmp_path, real)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert verify(path, knowledge).sound


def test_half_a_pdf_is_told_as_such(report, knowledge, tmp_path):
    data = report.read_bytes()
    (tmp_path / "half.pdf").write_bytes(data[: len(data) // 2])
    verdict = verify(tmp_path / "half.pdf", knowledge)
    assert verdict.judged == NOT_SOUND and "PDF" in verdict.error and "\n" not in verdict.error


@pytest.mark.parametrize("name", ["x.json", "x.pdf", "x.html", "x.json.gz"])
def test_what_is_far_too_large_is_not_read(knowledge, tmp_path, name):
    begin = {"x.pdf": b"%PDF-1.7", "x.html": b"<!doctype html>", "x.json.gz": b"\x1f\x8b"}.get(name, b"{")
    with (tmp_path / name).open("wb") as file:
        file.write(begin)
        file.truncate(200_000_000)  # takes no room on the disk
    verdict = verify(tmp_path / name, knowledge)
    assert "is larger than 50 MB" in verdict.error and verdict.hint


def test_folders_and_pipes_are_no_files(knowledge, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "advice.json" in verify(tmp_path / "empty", knowledge).error
    os.mkfifo(tmp_path / "pipe.pdf")
    verdict = verify(tmp_path / "pipe.pdf", knowledge)
    assert "it is a pipe" in verdict.error and verdict.hint


def test_a_missing_file_and_one_without_data(knowledge, tmp_path):
    assert "cannot read" in verify(tmp_path / "none.pdf", knowledge).error
    writer = pypdf.PdfWriter()
    writer.add_blank_page(10, 10)
    with (tmp_path / "blank.pdf").open("wb") as file:
        writer.write(file)
    assert "no advice.json attached" in verify(tmp_path / "blank.pdf", knowledge).error


def test_texts_are_compared_by_their_figures():
    same = compare_texts("report", "3.2 days, 1,024 of 5", "3.2 da-\nys, 1,024\tof 5")
    assert not same.reads_otherwise and same.figures == 3
    assert compare_texts("report", "3.2 days", "3.3 days").missing == ("3.2",)
    assert not compare_texts("report", "3.2 days", "3.3 days", same_tool=False).differs
    assert compare_texts("report", "a 1 b 2", "a 2 b 1").moved
    assert compare_texts("report", "it can not: 5", "it can: 5").reworded


needs_ssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


@pytest.fixture
def keys(tmp_path) -> tuple[Path, Path]:
    for name in ("key", "other"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me@here", "-f", str(tmp_path / name)]
        subprocess.run(command, check=True)
    return tmp_path / "key", tmp_path / "other"


@needs_ssh
def test_a_signature_says_who(real, knowledge, tmp_path, keys):
    from advisor.verify.signature import sign

    path = at(tmp_path / "signed", real)
    sign(path, keys[0])
    assert verify(path, knowledge).signed.good is None
    good = verify(path, knowledge, keys[0].with_suffix(".pub"))
    assert good.sound and good.signed.good is True
    listed = tmp_path / "signers"
    listed.write_text(f"jane@lab {keys[0].with_suffix('.pub').read_text()}")
    assert verify(path, knowledge, listed).signed.who == "jane@lab"
    stranger = verify(path, knowledge, keys[1].with_suffix(".pub"))
    assert not stranger.sound and "none of the keys" in stranger.signed.text
    path.write_text(path.read_text() + "\n")
    changed = verify(path, knowledge, keys[0].with_suffix(".pub"))
    assert not changed.sound and "does not belong" in changed.signed.text
    assert verify(path, knowledge).signed.good is False


@needs_ssh
def test_signers_that_are_none(real, knowledge, tmp_path, keys):
    from advisor.verify.signature import sign

    path = at(tmp_path / "signed", real)
    assert not verify(path, knowledge, keys[0].with_suffix(".pub")).sound  # asked for, and not signed
    sign(path, keys[0])
    with pytest.raises(UserError, match="cannot read"):
        verify(path, knowledge, tmp_path / "none")
    (tmp_path / "empty").write_text("# nobody\n")
    with pytest.raises(UserError, match="names no signer"):
        verify(path, knowledge, tmp_path / "empty")
    with pytest.raises(UserError, match="cannot sign"):
        sign(path, tmp_path / "signed" / "advice.json")


@needs_pango
@pytest.mark.parametrize("side", ["a.json", "b.json"])
def test_both_sides_of_a_comparison_are_computed_again(real, knowledge, tmp_path, side):
    was = real.estimates[0].quantities["calendar_s"]
    ranged = {end: getattr(was, end) * 0.9 for end in ("value", "low", "high")}
    false = edited(real, calendar_s=was.model_copy(update=ranged))
    sides = (false, real) if side == "a.json" else (real, false)
    render_comparison(sides, compare(*sides, ("one", "other")), tmp_path, formats=("pdf",))
    verdict = verify(tmp_path / "compare.pdf", knowledge)
    assert not verdict.sound and verdict.again.unexplained
    assert [d.what.partition(": ")[0] for d in verdict.again.differences] == [side]
    assert verdict.digest.count(", ") == 1


def test_pages_of_other_templates_are_no_fraud(report, knowledge, tmp_path):
    page = (report.parent / "report.html").read_text(encoding="utf-8")
    assert pages.generator() in page
    assert "How the figures came about" in page
    other = page.replace(pages.digest(), "0" * 12).replace(
        "How the figures came about", "How they came about"
    )
    (tmp_path / "report.html").write_text(other, encoding="utf-8")
    verdict = verify(tmp_path / "report.html", knowledge)
    printed = verdict.printed
    assert printed.reworded and not printed.same_tool and not printed.differs
    assert verdict.judged == UNCHECKED and not verdict.false and not verdict.sound


def test_it_says_in_words_what_it_does_not_prove():
    assert "not who measured" in NOT_WHO and "signature" in NOT_WHO


def test_stored_and_whole_forms_are_one(real, tmp_path):
    path = at(tmp_path, real)
    assert load_advice(path) == real and json.loads(path.read_text())["schema_version"] >= 1


@needs_pango
@pytest.mark.parametrize(
    "record",
    [
        "[]",
        "{",
        "{}",
        '{"options": 3}',
        '{"options": {"headroom": "x"}, "target": "2 x", "wall_limit_s": null}',
        '{"options": {"colour": 1}, "target": "2 x", "wall_limit_s": null}',
        '{"options": {}, "target": "2 x", "wall_limit_s": "soon", "site": []}',
        '{"options": {}, "target": "2 x", "wall_limit_s": null, "site": {"node": 1}}',
    ],
)
def test_an_edited_record_of_a_request_is_an_error_in_words(real, knowledge, tmp_path, record):
    writer = pypdf.PdfWriter()
    writer.add_blank_page(10, 10)
    path = at(tmp_path, real)
    writer.add_attachment("advice.json", path.read_bytes())
    writer.add_attachment("request.json", record.encode())
    with (tmp_path / "x.pdf").open("wb") as file:
        writer.write(file)
    verdict = verify(tmp_path / "x.pdf", knowledge)
    assert not verdict.sound and verdict.hint and "\n" not in verdict.error


def test_a_page_without_names_carries_data_without_names(knowledge, tmp_path):
    advice = sample.gpu_machine().model_copy(update={"estimates": (), "trace": {}, "workloads": ()})
    render_report(redact(advice), tmp_path, formats=("html",))
    assert verify(tmp_path / "report.html", knowledge).printed.exact
    assert load_any(tmp_path / "report.html") == redact(advice)
