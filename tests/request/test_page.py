"""The page that goes with a request: one sheet, safe, the same each time."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import made

from advisor.render.request_page import attached, page_name, request_html
from advisor.request import SCHEDULERS, Options, Site, build, pick, site_of, write

HOSTILE = "<script>alert(1)</script>\u202eevil\0 " + "x" * 10_000


def page(held, lang="en", **changes):
    job = build(pick(held), Site(), Options(), held.calibration, **changes)
    files, _ = write(job, job.scheduler)
    return request_html(held, job, attached(held, files, {"target": "x"}), lang), job


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_hostile_names_stay_text(lang):
    held = made.advice()
    work = held.workloads[0].model_copy(update={"title": HOSTILE})
    accelerator = held.accelerators[0].model_copy(update={"title": HOSTILE})
    shown, _ = page(held.model_copy(update={"workloads": (work,), "accelerators": (accelerator,)}), lang)
    assert "<script" not in shown and "\u202e" not in shown and "\0" not in shown and "x" * 500 not in shown
    assert "default-src &#39;none&#39;" in shown
    assert not re.search(r'(?:src|href)="(?!#|data:)', shown)


def test_every_need_and_its_reason_is_on_the_page():
    shown, job = page(made.advice(), wall_limit_s=made.DAY)
    assert "Request: 16" in shown and "in 4 jobs" in shown
    for name in ("memory", "checkpoint"):
        assert job.needs[name].why.split(":")[0][:40] in shown
    assert shown == page(made.advice(), wall_limit_s=made.DAY)[0]


def test_hours_and_money_are_told_as_expected_and_at_most():
    one = made.estimate()
    rented = {**one.quantities, "calendar_rent_usd": made.quantity(2000.0, 1400.0, 3000.0, "USD")}
    held = made.advice(estimate=one.model_copy(update={"quantities": rented}))
    shown = re.sub(r"<[^>]*>", "", page(held, wall_limit_s=made.DAY)[0])
    assert "for up to 4 days, in 4 jobs" in shown and "4 jobs of 24 h: each but the first" in shown
    assert re.search(r"at most\s*1,536R\s*expected: 770", shown)
    assert re.search(r"rented, at most\s*USD 4,000R\s*expected: USD 2,000", shown)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_chip_of_several_devices_is_one_accelerator(lang):
    one = made.estimate(128, accelerator="aws-trainium2", each=8)
    shown = re.sub(r"<[^>]*>", "", page(made.advice(estimate=one), lang)[0])
    assert {"en": "Request: 16 × Made-up", "zh": "资源申请：16 × Made-up"}[lang] in shown
    told = {"en": "on one node, where they are 128 devices", "zh": "在一个节点上，共 128 个设备"}[lang]
    assert "128 × " not in shown and told in shown
    assert re.search({"en": r"at most\s*1,267R", "zh": r"1,267"}[lang], shown)


def test_the_page_says_where_it_is_handed_in_and_what_is_started():
    site = {
        "account": "proj-42",
        "node": [{"name": "n", "accelerator": made.H100, "gpus": 8}],
        "partition": [{"name": "gpu", "nodes": ["n"], "max_wall": "12 days", "max_nodes": 9, "qos": "long"}],
    }
    held = made.advice()
    options = Options(command=("train.py", "--config", "a b.yaml"))
    job = build(pick(held), site_of(Path("site.toml"), site), options)
    shown = re.sub(r"<[^>]*>", "", request_html(held, job, {}))
    assert re.search(r"Partition\s*gpu\s*account proj-42, QOS long, at most 12 days a job, at most 9", shown)
    assert "Started on each node: 8 processes of train.py --config &#39;a b.yaml&#39;." in shown
    assert "Partition" not in page(held)[0]


def test_each_scheduler_has_its_own_page():
    names = []
    for scheduler in ("slurm", "k8s", "skypilot"):
        shown, job = page(made.advice(), scheduler=scheduler)
        names.append(page_name(job))
        assert f"hwadvisor verify {names[-1]}.html" in shown
    assert names == ["request", "request-k8s", "request-skypilot"]
    assert page_name(replace(job, scheduler="../x")) == "request"


def test_what_is_not_known_says_so():
    shown, _ = page(made.advice(made.workload(method="lora")))
    assert "the number of trained parameters is not in the file" in shown


def test_chinese_leaves_no_sentence_in_english():
    from advisor.render.html import page_context
    from advisor.render.request_page import _page
    from advisor.render.texts import load_texts

    layout = {"tp": "16", "offload": "optimizer"}
    held = made.advice(made.workload(family="cnn"), estimate=made.estimate(9, choices=layout))
    held = held.model_copy(update={"workloads": (held.workloads[0].model_copy(update={"title": "GPT-2"}),)})
    texts = load_texts("zh")
    _, marks = page_context(held, texts, paged=True)
    few = site_of(Path("site.toml"), {"node": [{"name": "n", "gpus": 4, "cpus": 12}]})
    for site, scheduler in product((Site(), few), SCHEDULERS):
        job = build(
            pick(held), site, Options(), made.decoding(100.0), wall_limit_s=made.DAY, scheduler=scheduler
        )
        _page(held, job, marks, "request.pdf")
        for note in job.notes:
            assert texts.said(note) != note, note
    left = [text for text in texts.left if "arXiv" not in text]
    assert left == []
