"""The HTML report: safe with hostile strings, self-contained, the same each time, honest about gaps."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import sample

from advisor.errors import UserError
from advisor.render import describe, render_report
from advisor.render.clean import clean, slug
from advisor.render.html import CSP, render_html, section_files
from advisor.render.marks import foreign
from advisor.render.texts import Texts
from advisor.schema import (
    Advice,
    Calibration,
    Device,
    Fact,
    Grade,
    Machine,
    NearRun,
    Notice,
    Quantity,
    Skipped,
    Status,
)

HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=y>\u202eevil\x00\x07\u200b&amp;{{ 7*7 }}" + "A" * 10_000
)
URL_ATTRIBUTES = {
    "href",
    "src",
    "srcset",
    "action",
    "formaction",
    "data",
    "poster",
    "background",
    "xlink:href",
    "cite",
}


class Page(HTMLParser):
    """Tags, attributes and text of a page, as a browser's parser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._style = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._style = tag == "style"

    def handle_endtag(self, tag):
        self._style = False

    def handle_data(self, data):
        if not self._style:
            self.text += data

    def ids(self) -> list[str]:
        return [attrs["id"] for _, attrs in self.tags if attrs.get("id")]


def html(advice: Advice, *, paged: bool = False) -> str:
    return render_html(advice, Texts(), {}, paged=paged)


@pytest.fixture(scope="module")
def cpu() -> str:
    return html(sample.cpu_machine())


@pytest.fixture(scope="module")
def gpu() -> str:
    return html(sample.gpu_machine())


def hostile_advice() -> Advice:
    """Every string that a driver, a host or a file can give is hostile."""
    text = sample.gpu_machine().model_dump_json()
    named = (
        "NVIDIA H200",
        "synthetic-gpu",
        "AMD EPYC 9555P 64-Core Processor",
        "docker",
        "matmul.bf16.1024.cuda:0",
    )
    advice = Advice.model_validate_json(text)
    changed = _replace(advice.model_dump(mode="json"), dict.fromkeys(named, HOSTILE))
    advice = Advice.model_validate(changed)
    machine = advice.machine.model_copy(
        update={"skipped": (Skipped(probe=HOSTILE, status=Status.failed, reason=HOSTILE, hint=HOSTILE),)}
    )
    return advice.model_copy(
        update={
            "machine": machine,
            "notices": (Notice(code=HOSTILE, message=HOSTILE, hint=HOSTILE),),
            "command": HOSTILE,
        }
    )


def _replace(value, table):
    if isinstance(value, dict):
        return {key: _replace(item, table) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace(item, table) for item in value]
    return table.get(value, value) if isinstance(value, str) else value


def test_hostile_strings_stay_text():
    page_text = html(hostile_advice())
    page = Page(page_text)
    assert not [tag for tag, _ in page.tags if tag in ("img", "iframe", "object", "embed", "form", "base")]
    assert [tag for tag, _ in page.tags].count("script") == 1  # our own; its hash is all the policy allows
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert "<script>alert(1)</script>" in page.text  # shown, as text
    assert "{{ 7*7 }}" in page.text and "49" not in re.findall(r"\{\{.{0,9}", page.text)
    assert "\x00" not in page_text and "\u202e" not in page_text and "\u200b" not in page_text
    assert "\\u202e" in page.text
    assert "A" * 500 not in page_text


def test_foreign_names_are_isolated(gpu):
    assert "NVIDIA H200" in gpu  # letters of ASCII have one direction
    assert foreign("כרטיס <b>") == "<bdi>כרטיס &lt;b&gt;</bdi>"


@pytest.mark.parametrize(
    "advice", [sample.cpu_machine(), sample.gpu_machine(), hostile_advice()], ids=["cpu", "gpu", "hostile"]
)
def test_nothing_is_fetched(advice):
    text = html(advice)
    page = Page(text)
    for tag, attrs in page.tags:
        for name in URL_ATTRIBUTES & set(attrs):
            assert re.match(r"#|data:", attrs[name] or ""), f"<{tag} {name}={attrs[name]!r}>"
        assert "style" not in attrs
    css = "".join(re.findall(r"<style>(.*?)</style>", text, re.DOTALL))
    assert set(re.findall(r"url\(\"?([a-z]+:)", css)) == {"data:"}
    assert "@import" not in css
    # Sources that hold URLs are shown as text, not as links.
    assert "https://example.org/a.pdf" in page.text


def policies_of(text):
    return [
        a["content"] for tag, a in Page(text).tags if (a.get("http-equiv") or "") == "Content-Security-Policy"
    ]


def test_content_security_policy_allows_the_own_script_alone_and_no_network(cpu):
    assert "base-uri 'none'" in CSP and "form-action 'none'" in CSP
    assert "default-src 'none'" in CSP and "script" not in CSP and "http" not in CSP
    scripts = re.findall(r"<script>(.*?)</script>", cpu, flags=re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert policies_of(cpu) == [f"{CSP}; script-src 'sha256-{digest}'"]
    assert not re.search(r"https?:|fetch|XMLHttp|eval|innerHTML|import", scripts[0])


def test_paper_has_no_script():
    paged = html(sample.cpu_machine(), paged=True)
    assert policies_of(paged) == [CSP]
    assert "<script" not in paged


def test_figures_carry_what_they_are_sorted_by(cpu):
    figures = [float(a["data-v"]) for tag, a in Page(cpu).tags if "data-v" in a]
    assert len(figures) > 20


@pytest.mark.parametrize("paged", [False, True])
def test_marks_lead_somewhere(paged):
    page = Page(html(sample.gpu_machine(), paged=paged))
    ids = page.ids()
    assert len(ids) == len(set(ids)), "an id is there twice"
    targets = {attrs["href"][1:] for tag, attrs in page.tags if tag == "a"}
    assert targets <= set(ids), sorted(targets - set(ids))[:5]
    assert all(re.fullmatch(r"[a-z]+-[0-9a-f]{12}|top|origin-rule|origin-again", name) for name in ids)


def test_every_figure_carries_a_mark(gpu):
    # A figure is <span class="fig">; its mark follows at once.
    figures = re.findall(
        r'<span class="fig"(?: data-v="[^"]+")?>(?:(?!</span>).)*</span>(.{0,30})',
        gpu.replace("<bdi>", "").replace("</bdi>", ""),
    )
    assert len(figures) > 200
    bare = [
        after
        for after in figures
        if not re.match(r'<(a|span) class="k ', after) and "</span>" not in after[:8]
    ]
    assert not bare, bare[:5]


def test_every_mark_opens_something(gpu):
    """All but those of the legend, of the kinds themselves, and of lines that are a source or a step."""
    bare = gpu.partition("</style>")[2]
    for part in (
        r'<p class="legend">.*?</p>',
        r'<ul class="sources">.*?</ul>',
        r'<div class="trace".*?</div>',
    ):
        bare = re.sub(part, "", bare, flags=re.DOTALL)
    method = bare.index("Every figure in this report carries a letter")
    bare = bare[:method] + bare[bare.index("</table>", method) :]
    assert not re.findall(r'.{60}<span class="k k-\w+"', bare, flags=re.DOTALL)


def test_each_kind_is_marked_and_explained(gpu):
    for kind in ("measured", "probed", "published", "vendor", "rule", "assumed"):
        assert f'<a class="k k-{kind}"' in gpu, kind
    for letter, kind in zip(
        "MPLVRSA", ("measured", "probed", "published", "vendor", "rule", "stated", "assumed"), strict=True
    ):
        assert re.search(rf'class="k k-{kind}"[^>]*>{letter}<', gpu)


def test_chapters_left_out_of_an_answer_about_others_would_be_empty():
    from test_render_choice import estimated

    from advisor.render import html

    assert {path.stem for path in section_files()} >= html._OF_MACHINE
    for name in html._OF_MACHINE:
        assert not html.render_section(estimated(), Texts(), f"{name}.html")[0].strip(), name
    assert html._chapters(sample.cpu_machine()) == section_files()


def test_same_advice_same_bytes():
    assert html(sample.gpu_machine()) == html(
        Advice.model_validate_json(sample.gpu_machine().model_dump_json())
    )


def test_unknown_is_said_with_its_reason(cpu):
    text = Page(cpu).text
    assert "unknown (needs root)" in text
    assert "not installed" in text  # known to be absent, which is not the same as unknown
    assert ": None" not in text and not {"nan", "NaN", "None\n"} & set(text.split(" "))


def test_old_prices_are_flagged(cpu):
    text = Page(cpu).text
    assert "445 days old" in text  # 2025-09-01 seen from 2026-11-20
    assert text.count("days old when this was written") == 2


def test_grade_c_gives_a_range_and_no_figure(cpu):
    row = re.search(r"Matrix product.{0,400}?512 × 512.*?</tr>", cpu, re.DOTALL)
    assert row and "range only" in row[0] and ">C<" in row[0]


def test_a_disturbed_best_is_told_for_what_it_is(cpu):
    """Its range is all there is: "at least 9 GFLOP/s" alone would read as a promise."""
    advice = sample.cpu_machine()
    measurements = tuple(
        m.model_copy(update={"value": None, "high": None, "grade": Grade.C, "reason": "contended"})
        if m.bench == "matmul" else m
        for m in advice.calibration.measurements
    )  # fmt: skip
    calibration = advice.calibration.model_copy(update={"measurements": measurements})
    first = Page(html(without(advice, calibration=calibration))).text.partition("What to do next")[0]
    assert re.search(
        r"at least [\d.]+ [GT]FLOP/s\s*M\s*\(disturbed while measured: no single figure\)", first
    )
    assert "disturbed while measured" not in Page(cpu).text.partition("What to do next")[0]


def test_a_clock_is_marked_for_what_it_is(cpu):
    assert re.search(
        r'Clock, measured by a loop</th><td><span class="fig">4.1 GHz</span><a class="k k-measured"', cpu
    )
    assert re.search(r'Clock, nominal</th><td><span class="fig">2.1 GHz</span><a class="k k-vendor"', cpu)
    advice = sample.cpu_machine()
    governed = advice.machine.cpu.model_copy(update={"clock_max_hz": sample.ok(4.2e9, "cpufreq")})
    machine = advice.machine.model_copy(update={"cpu": governed})
    page = html(without(advice, machine=machine))
    assert re.search(
        r'Clock, as reported</th><td><span class="fig">2.1 GHz</span><a class="k k-probed"', page
    )


def test_paper_tells_the_ranges_that_the_screen_tells(gpu):
    for page in (gpu, html(sample.gpu_machine(), paged=True)):
        table = re.search(r'<table class="choices wide.*?</table>', page, re.DOTALL)
        assert table and table[0].count('class="rng"') >= 4


def test_a_figure_has_no_digit_that_its_range_does_not_bear_out(gpu):
    """ "9 min 17 s" beside "7.3–12 min" was told so."""
    text = Page(gpu).text
    assert not re.findall(r"\d+ (?:min \d+ s|h \d+ min)\s*[A-Z]?\s*[\d.,]+–[\d.,]+ \w+", text)
    assert re.search(r"[\d.]+ (?:min|h|days)\s*R\s*[\d.,]+–[\d.,]+ (?:min|h|days)", text)


def without(advice: Advice, **parts) -> Advice:
    return advice.model_copy(update=parts)


def cut(advice: Advice) -> Advice:
    """What kill -9 in the middle of calibration leaves."""
    kept = advice.calibration.measurements[:5]
    half = advice.calibration.model_copy(
        update={
            "complete": False,
            "stopped": "running",
            "finished_at": "",
            "measurements": kept,
            "failures": (),
        }
    )
    return without(advice, stage="calibrating", calibration=half, estimates=(), trace={}, accelerators=())


PARTS = {
    "nothing": Advice(),
    "bare machine": Advice(machine=Machine(probed_at="no date")),
    "probe alone": without(
        sample.cpu_machine(), calibration=None, estimates=(), workloads=(), accelerators=(), trace={}
    ),
    "not calibrated": without(sample.cpu_machine(), calibration=None),
    "killed": cut(sample.cpu_machine()),
    "calibration alone": without(cut(sample.cpu_machine()), machine=None, workloads=()),
    "empty calibration": without(sample.cpu_machine(), calibration=Calibration(stopped="running")),
    "no catalogue": without(sample.gpu_machine(), accelerators=()),
    "no traces": without(sample.gpu_machine(), trace={}),
}


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("paged", [False, True])
def test_any_part_may_be_missing(name, paged):
    page = Page(html(PARTS[name], paged=paged))
    assert "What to do next" in page.text
    headings = [attrs.get("id") for tag, attrs in page.tags if tag == "h2"]
    assert slug("sec", "machine") in headings and slug("sec", "why") in headings


def test_a_killed_calibration_shows_what_was_measured():
    text = Page(html(PARTS["killed"])).text
    assert "Preliminary" in text and "with 5 figures done" in text
    assert "940 GFLOP/s" in text


def test_lost_device_does_not_hide_the_others():
    advice = sample.gpu_machine()
    lost = Device(
        vendor="nvidia", index=1, status=Status.lost, name=Fact(status=Status.lost, reason="fell off the bus")
    )
    machine = advice.machine.model_copy(update={"devices": (lost, *advice.machine.devices)})
    text = Page(html(without(advice, machine=machine))).text
    assert "the device is lost" in text and "fell off the bus" in text and "NVIDIA H200" in text


def test_answer_counts_what_is_in_time(cpu, gpu):
    assert "can train 1 of 9 workloads" in Page(cpu).text
    assert "can train 6 of 9 workloads" in Page(gpu).text


def test_odd_units_and_values_do_not_break_a_page():
    advice = sample.cpu_machine()
    broken = advice.estimates[0].model_copy(
        update={
            "quantities": {
                "time_s": Quantity(value=float("inf"), unit="s"),
                "memory_bytes": Quantity(value=3, unit="\u202efurlong"),
            }
        }
    )
    page = Page(html(without(advice, estimates=(broken,))))
    assert "infinite" in page.text and "furlong" in page.text


def test_sections_come_in_order_of_their_numbers():
    names = [path.name for path in section_files()]
    assert names == sorted(names) and len(names) >= 9


def test_unknown_format_and_language_are_named(tmp_path: Path):
    with pytest.raises(UserError, match="format 'pfd'") as caught:
        render_report(Advice(), tmp_path, formats=["pfd"])
    assert "pdf" in caught.value.hint
    with pytest.raises(UserError, match="language 'tlh'"):
        render_report(Advice(), tmp_path, formats=["html"], lang="tlh")
    assert not list(tmp_path.iterdir())


def test_unwritable_folder_is_an_error_in_one_line(tmp_path: Path):
    with pytest.raises(UserError, match="cannot write"):
        render_report(Advice(), tmp_path / "not there", formats=["html"])


def test_clean_makes_hidden_characters_visible():
    assert clean("a\x00b\u202ec\ud800") == "a\\x00b\\u202ec\\ud800"
    assert clean("a\n\t b") == "a b"
    long = clean("x" * 10_000)
    assert len(long) < 450 and long.endswith("(10,000 characters)")
    assert clean("机器 é") == "机器 é"


def refused(
    limits: dict[str, str], why: str = "No framework here sees the device: torch 2.13 (cpu)."
) -> Advice:
    """A machine none of whose workloads can run, for the reasons in `limits` (the others: memory)."""
    advice = sample.gpu_machine()
    estimates = tuple(
        e.model_copy(
            update={
                "fits": None if limits.get(e.workload) == "unknown" else False,
                "limit": limits.get(e.workload, "memory"),
                "why": why if e.workload in limits else e.why,
            }
        )
        if e.target.here
        else e
        for e in advice.estimates
    )
    return without(advice, estimates=estimates)


def test_the_reason_why_nothing_runs_is_the_one_the_estimates_give():
    names = [w.id for w in sample.gpu_machine().workloads]
    memory = Page(html(refused({}))).text
    assert "None of 9 workloads fits into this machine's memory" in memory
    assert "none fits into memory" in memory
    software = Page(html(refused(dict.fromkeys(names, "framework")))).text
    assert "this machine's memory." not in software
    assert "9 would fit, but no framework here can use the device" in software
    assert "0 can run; 9 more would fit" in software
    assert "Install PyTorch in a build that can use NVIDIA H200" in software
    assert "No framework here sees the device: torch 2.13 (cpu)." in software
    mixed = Page(html(refused({names[0]: "framework", names[1]: "unknown"}))).text
    assert "1 would fit, but no framework" in mixed and "7 do not fit into memory; 1 are not known" in mixed
    nobody_knows = Page(html(refused(dict.fromkeys(names, "unknown")))).text
    assert "What this machine can train is not known" in nobody_knows


def test_figures_without_stored_steps_lead_to_the_paragraph_that_says_so():
    page_text = html(without(sample.gpu_machine(), trace={}))
    assert 'href="#origin-again"' in page_text
    assert "The steps behind this figure are not in this report" in Page(page_text).text
    assert "all others are in advice.json" not in page_text
    assert "`hwadvisor" not in Page(page_text).text and "<code>hwadvisor explain</code>" in page_text


def test_measurements_are_told_apart_in_words(cpu, gpu):
    for page in (cpu, gpu):
        table = " ".join(re.findall(r'<span class="param">.*?</span>', page))
        for raw in ("intercept_s", "direct True", "file_bytes", "head_dim", "parameters 1", "layers 2,"):
            assert raw not in table, raw


def test_what_limits_a_run_is_said_without_repeating_the_row():
    advice = sample.gpu_machine()
    workload = advice.workloads[0]
    here = next(e for e in advice.estimates if e.target.here and e.workload == workload.id)
    allowed = workload.deadline_days * 86400

    def said(time: float, need: float, high: float, *, fits: bool = True) -> str:
        quantities = {
            "time_s": Quantity(value=time, unit="s"),
            "memory_bytes": Quantity(value=need, high=high, unit="B"),
            "memory_usable": Quantity(value=100.0, unit="B"),
        }
        limit = "" if fits else "memory"
        estimate = here.model_copy(update={"quantities": quantities, "fits": fits, "limit": limit})
        return str(describe.limit(estimate, workload, Texts()))

    assert said(allowed / 2, 10, 20) == "Nothing: it fits and is done in time."
    assert said(allowed * 15, 10, 20) == "Time: 15 × what is allowed; memory suffices."
    assert said(allowed * 15, 90, 120).endswith("the upper end of the estimate does not fit.")
    assert said(allowed / 2, 700, 800, fits=False) == "Memory: 7 × the 100 B there are."


def test_paper_has_the_best_devices_of_a_workload_with_memory_and_tightness():
    advice = sample.gpu_machine()
    workload = advice.workloads[0]
    like = next(e for e in advice.estimates if not e.target.here and e.workload == workload.id)
    estimates = tuple(
        like.model_copy(
            update={
                "purpose": purpose,
                "target": like.target.model_copy(update={"accelerator_id": f"device-{number}"}),
                "quantities": {
                    **like.quantities,
                    "memory_bytes": Quantity(value=10 * 2**30, high=30 * 2**30, unit="B"),
                    "memory_usable": Quantity(value=(20 if number == 1 else 40) * 2**30, unit="B"),
                },
            }
        )
        for number in range(30)
        for purpose in ("fit", "deadline")
    )
    page = html(without(advice, workloads=(workload,), estimates=estimates), paged=True)
    table = re.search(r'<table class="choices wide small">.*?</table>', page, re.DOTALL)
    assert table and len(re.findall(r'<th scope="row">', table[0])) == 5
    assert "10 / 40" in table[0] and table[0].count(">tight<") == 1


def test_time_and_fit_can_come_first_on_a_telephone(cpu):
    assert re.search(r"\.stack \.s-fits \{ order: 1 \} \.stack \.s-time \{ order: 2 \}", cpu)
    assert 'class="n s-time" data-name="Time here"' in cpu


def test_every_figure_of_the_catalogue_leads_to_how_it_came_about():
    run = NearRun(id="r", title="Some run", source="example.org/t", measured_s=2.0, rules_s=3.0, weight=0.5)
    advice = sample.gpu_machine()
    estimates = tuple(e.model_copy(update={"near": (run,)}) for e in advice.estimates)
    page = render_html(advice.model_copy(update={"estimates": estimates}), Texts(), {})
    tables = re.findall(r'<table class="choices.*?</table>', page, re.DOTALL)
    targets = [href for table in tables for href in re.findall(r'class="k k-rule" href="#([^"]+)"', table)]
    assert len(targets) > 20
    for target in set(targets) - {t for t in targets if t.startswith("t-")}:  # those have all their steps
        entry = re.search(rf'<dt id="{target}">.*?(?=<dt|</dl>)', page, re.DOTALL)
        assert entry, target
        assert "Some run, took 2 s, 3 s by the rules" in entry[0]
        assert "listed price: " in entry[0] and 'class="k k-published" href="#s-' in entry[0]
