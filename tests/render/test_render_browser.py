"""The HTML in a real browser: nothing runs over the edge of a telephone, and dark mode is dark."""

from __future__ import annotations

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
