"""The HTML in a real browser: nothing runs over the edge of a telephone, and dark mode is dark."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import sample

from advisor.render import render_report

Image = pytest.importorskip("PIL.Image", reason="Pillow is not here")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium here: the report was not looked at in a browser"
)


@pytest.fixture(scope="module", params=["en", "zh"])
def page(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    render_report(sample.gpu_machine(), folder, formats=["html"], lang=request.param)
    return folder / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_shows_all_of_it(page, tmp_path, scheme):
    shot = tmp_path / "shot.png"
    dark = ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    subprocess.run(
        [BROWSER, *FLAGS, *dark, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=390,6000",
         f"--screenshot={shot}", page.as_uri()],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    image = Image.open(shot).convert("RGB")
    paper = image.getpixel((1, 1))
    assert (sum(paper) < 200) if scheme == "dark" else (sum(paper) > 700)
    # The margin right of the text is empty from top to bottom: tables scroll in their own boxes.
    margin = image.crop((image.width - 8, 0, image.width, image.height))
    assert margin.getcolors() == [(margin.width * margin.height, paper)]
    assert len(image.getcolors(maxcolors=1 << 20)) > 50, "the page is blank"


def dom_after(page, tmp_path, script, fragment=""):
    """The page after `script` ran in it; the policy of the copy allows that, that of the report does not."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r'script-src [^"]*"', "script-src 'unsafe-inline'\"", text)
    copy = tmp_path / "copy.html"
    copy.write_text(text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", copy.as_uri() + fragment],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.stdout


def test_the_report_s_own_script_runs_under_its_policy(page, tmp_path):
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.count('class="sort"') > 10
    assert 'class="filter"' in done.stdout
    assert 'class="theme"' in done.stdout


def test_a_click_on_a_heading_sorts_and_another_turns_round(page, tmp_path):
    script = """
      const table = document.querySelector("table.choices"), button = table.querySelectorAll(".sort")[3];
      const values = () => [...table.tBodies[0].rows].map((row) => row.querySelector("[data-v]"))
        .filter(Boolean).map((cell) => Number(cell.dataset.v)).join(",");
      button.click(); const up = values(); button.click();
      document.title = up + ";" + values();
    """
    title = re.search(r"<title>(.*?)</title>", dom_after(page, tmp_path, script))[1]
    up, down = ([float(value) for value in part.split(",")] for part in title.split(";"))
    assert up == sorted(up)
    assert down == sorted(down, reverse=True)
    assert len(up) > 3


def test_a_box_filters_rows(page, tmp_path):
    script = """
      const box = document.querySelector(".filter");
      const rows = box.nextElementSibling.querySelectorAll("tbody tr");
      box.value = rows[0].cells[0].textContent; box.dispatchEvent(new Event("input"));
      document.title = [...rows].filter((row) => !row.hidden).length + "/" + rows.length;
    """
    shown, of = re.search(r"<title>(\d+)/(\d+)</title>", dom_after(page, tmp_path, script)).groups()
    assert 1 <= int(shown) < int(of)


def test_a_mark_opens_the_trace_it_leads_to(page, tmp_path):
    script = """
      const link = [...document.querySelectorAll("a.k")].find((a) => {
        const target = document.getElementById(a.hash.slice(1));
        const closed = "details:not([open])";
        return target && (target.closest(closed) || target.querySelector(closed));
      });
      location.hash = link.hash; dispatchEvent(new Event("hashchange"));
      const target = document.getElementById(link.hash.slice(1));
      const fold = target.closest("details") || target.querySelector("details");
      document.title = fold.open ? "open" : "closed";
    """
    assert "<title>open</title>" in dom_after(page, tmp_path, script)


def test_dark_and_light_can_be_chosen(page, tmp_path):
    script = """
      const paper = () => getComputedStyle(document.body).backgroundColor;
      const before = paper(), button = document.querySelector(".theme");
      button.click(); const dark = paper(); button.click();
      document.title = [before, dark, paper()].join("|");
    """
    before, dark, after = re.search(r"<title>(.*?)</title>", dom_after(page, tmp_path, script))[1].split("|")
    assert before == after != dark
