"""Chinese: complete, with glyphs for everything, and the advice's own sentences told from their sources."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import lru_cache
from pathlib import Path

import pytest
import sample
from few import shipped_knowledge

from advisor.calibrate.warn import WARNINGS
from advisor.data.files import shipped
from advisor.errors import DataError
from advisor.render import describe, fonts
from advisor.render.html import render_html
from advisor.render.pdf import visible_text
from advisor.render.sentences import Sentences
from advisor.render.texts import collect, full_texts, languages, load_texts, placeholders
from advisor.schema import NearRun, Notice, Quantity, Workload
from advisor.search.words import late_sentence, memory_sentence
from advisor.units import GIB

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
OTHERS = tuple(code for code in languages() if code != "en")


def raw(code: str) -> dict:
    return tomllib.loads((shipped("templates") / "lang" / f"{code}.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def english() -> dict[str, str]:
    from list_texts import sources

    return collect(sources())


@lru_cache(maxsize=1)
def said_in_code() -> str:
    """Every string of the code and of the reference workloads, with \\0 between them."""
    found = []
    for path in sorted((ROOT / "advisor").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    for path in sorted((ROOT / "rules" / "workloads").glob("*.toml")):
        job = tomllib.loads(path.read_text(encoding="utf-8"))
        found += [v for v in (*job.values(), *job.get("recipe", {}).values()) if isinstance(v, str)]
    for path in sorted((ROOT / "rules" / "advice").glob("*.toml")):
        for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("advice", []):
            found += [re.sub(r"\{\w+\}", "\0", entry[name]) for name in ("text", "remedy")]
    defaults = tomllib.loads((ROOT / "templates" / "request" / "defaults.toml").read_text(encoding="utf-8"))
    found += [entry[name] for entry in defaults["value"] for name in ("why", "source")]
    tokens = tomllib.loads((ROOT / "rules" / "evidence" / "tokens.toml").read_text(encoding="utf-8"))
    found += [entry["source"] for entry in tokens["script"]]
    tables = [rows for rows in defaults.values() if isinstance(rows, list)]
    found += [row["note"] for rows in tables for row in rows if isinstance(row.get("note"), str)]
    return "\0".join(found)


@pytest.mark.parametrize("code", OTHERS)
def test_no_text_is_missing(code):
    assert set(raw(code)["texts"]) == set(english())


CHOICES = ("precision ", "recompute ", "sharding ")
OF_THE_SYSTEM = {"No such file or directory", "permission denied"}


@pytest.mark.parametrize("code", OTHERS)
def test_every_told_sentence_is_one_that_the_code_says(code):
    """A wording that was changed in the code would no longer be found in a report; here it is missed."""
    said = said_in_code().replace("_", " ")
    for pattern in raw(code)["sentences"]:
        for part in re.split(r"\{\w+\}", pattern):
            words = part.strip(" .:;,()'`").replace("_", " ")
            if pattern.startswith(CHOICES):  # told as one phrase, and said as name and value
                words = pattern.split(" ", 1)[1]
            if len(words) >= 12 and words not in OF_THE_SYSTEM:
                assert all(clause in said for clause in re.split(r"(?<=\.) ", words)), (pattern, words)


@pytest.mark.parametrize("code", OTHERS)
def test_every_why_is_told_and_none_of_a_rule_that_is_gone(code):
    """A rule or column that is new or says something else now: its translation has to follow."""
    from list_rule_texts import gone, missing

    lacks, left = missing(code), gone(code)
    assert not lacks, f"{len(lacks)} texts; python tools/list_rule_texts.py {code} lists them"
    assert not left, f"{len(left)} translations of nothing; python tools/list_rule_texts.py {code}"


@pytest.mark.parametrize("code", OTHERS)
def test_a_why_has_the_same_numbers_in_every_language(code):
    from list_rule_texts import told, unlike_numbers

    assert not unlike_numbers(code)
    assert not [text for text, own in told(code).items() if placeholders(text) != placeholders(own)]


@pytest.mark.parametrize("code", OTHERS)
def test_whys_that_loading_makes_are_told(code):
    """Of operators' columns, constants of a category, and flags: texts that stand in no rule file."""
    book = shipped_knowledge().book
    sentences = load_texts(code).sentences
    made = [rule.why for rule in (*book.rules.values(), *book.op_rules.values())]
    made += [rule.why for one in book.operators.values() for rule in one.rules.values()]
    made += [constant.text for constant in book.constants.values()]
    made += [rule.why for one in book.quantities.values() for rule in one.rules]
    assert len(set(made)) > 600
    made = [why for why in made if why and "{" not in why]  # advice's own has places, and its own test
    assert not {why for why in made if sentences.find(why) is None}
    wording = re.compile(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}")
    assert not {why for why in made if wording.search(sentences.find(why) or "")}


@pytest.mark.parametrize("code", OTHERS)
def test_sentences_take_the_same_values(code):
    for pattern, told in raw(code)["sentences"].items():
        names = set(re.findall(r"\{(\w+)\}", pattern))
        assert names == set(re.findall(r"\{(\w+)\}", told)), pattern


@pytest.mark.parametrize("code", OTHERS)
@pytest.mark.parametrize("advice", [sample.cpu_machine(), sample.gpu_machine()], ids=["cpu", "gpu"])
def test_shipped_fonts_have_every_glyph_of_a_page(code, advice):
    shown = visible_text(render_html(advice, load_texts(code), {}))
    own = set("".join([*raw(code)["texts"].values(), *raw(code)["sentences"].values()]))
    missing = (shown | own) - fonts.shipped_characters() - fonts.chinese_characters()
    assert not {c for c in missing if not c.isspace()}


def test_the_chinese_page_names_its_language_and_carries_its_faces():
    page = render_html(sample.cpu_machine(), load_texts("zh"), {})
    assert 'lang="zh-CN"' in page and "为什么要用 GPU" in page
    assert page.count(f'font-family:"{fonts.CHINESE}"') == 2
    assert fonts.CHINESE not in page.partition("</style>")[2]


def test_a_chinese_name_in_an_english_report_brings_its_glyphs_along():
    assert fonts.chinese_css(frozenset("plain"), own=False) == ""
    rare = fonts.chinese_css(frozenset("镐机"), own=False)  # the semibold face lacks the first of them
    assert f'"{fonts.PLAIN}"' in rare and rare.count("@font-face") == 3
    faces = fonts.chinese_css(frozenset("机"), own=False)
    assert faces.count("@font-face") == 2 and len(faces) < 20_000


def test_our_own_wording_needs_no_subsetting():
    """After new Chinese wording: python tools/make_font.py own."""
    from make_font import own_chinese_codes

    own = {chr(code) for code in own_chinese_codes()} - {" ", "\u00a0"}
    for path in fonts.shipped_faces(fonts.OWN_FACES).values():
        assert not own - fonts._covered((path,)), path.name
    page = render_html(sample.cpu_machine(), load_texts("zh"), {})
    assert f'font-family:"{fonts.PLAIN}"' not in page and page.count(f'font-family:"{fonts.MARKS}"') == 2


def test_the_fonts_stay_small():
    sizes = [path.stat().st_size for path in fonts.shipped_faces(fonts.CHINESE_FACES).values()]
    assert len(sizes) == 2 and sum(sizes) < 800_000


@pytest.mark.parametrize("code", OTHERS)
def test_every_warning_of_a_measurement_is_told(code):
    told = raw(code)["sentences"]
    for name, words in WARNINGS.items():
        assert name.replace("_", " ") in told, name
        assert not [sentence for sentence in words if sentence not in told], name


def need(value: float, high: float) -> Quantity:
    return Quantity(value=value, low=value, high=high, unit="B")


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        (
            memory_sentence(need(21 * GIB, 22 * GIB), need(24 * GIB, 0), "the device"),
            "该设备有 24 GiB，需要 21 GiB。",
        ),
        (
            memory_sentence(need(60 * GIB, 0), need(24 * GIB, 0), "each of 8 devices"),
            "需要 60 GiB，而8 个设备每个只有 24 GiB：是它的 2.5 倍。",
        ),
        (
            memory_sentence(need(30 * GIB, 0), need(24 * GIB, 0), "this machine"),
            "需要 30 GiB，而本机只有 24 GiB：超出 25%。",
        ),
        (
            memory_sentence(need(21 * GIB, 30 * GIB), need(24 * GIB, 0), "the device"),
            "该设备有 24 GiB，需要 21 GiB。内存紧张：按估算范围的上限就装不下了。",
        ),
        (
            memory_sentence(Quantity(reason="not installed", unit="B"), need(1, 1), "x"),
            "需要多少内存未知：没有安装。",
        ),
    ],
)
def test_sentences_of_memory(sentence, told):
    assert load_texts("zh").said(sentence) == told


def test_sentences_of_time():
    workload: Workload = sample.gpu_machine().workloads[0].model_copy(update={"deadline_days": 7.0})
    texts = load_texts("zh")
    year = 365.25 * 86400
    late = late_sentence(Quantity(value=3.2 * year, unit="s"), 4.1 * year, workload)
    assert texts.said(late) == "需要 3.2 年（十次中有九次不超过 4.1 年），而限定时间是 7 天。"
    assert not late_sentence(Quantity(value=86400.0, unit="s"), 6.9 * 86400, workload)
    assert late_sentence(Quantity(value=86400.0, unit="s"), 7.1 * 86400, workload), "one run of ten is late"
    assert not texts.left


def test_what_has_no_translation_stays_and_is_listed():
    texts = load_texts("zh")
    assert texts.said("some new words of a probe") == "some new words of a probe"
    assert texts.said("no Slurm here") == "不在 Slurm 中"
    assert texts.said("NVIDIA H200") == "NVIDIA H200"
    assert list(texts.left) == ["some new words of a probe"]


def test_a_known_sentence_beside_an_unknown_one():
    texts = load_texts("zh")
    told = texts.said("Calibrate again when it is quiet. The moon was full that night.")
    assert told == "请在机器空闲时重新校准。The moon was full that night."
    assert list(texts.left) == ["The moon was full that night."]


def test_an_unknown_part_of_a_known_sentence_is_listed():
    texts = load_texts("zh")
    told = texts.said("no Slurm here; few blocks: a remark that nobody knows")
    assert told == "不在 Slurm 中；有效测量块太少：a remark that nobody knows"
    assert list(texts.left) == ["a remark that nobody knows"]
    texts = load_texts("zh")
    assert describe.why(texts, "Some rule of a user.") == "Some rule of a user."
    assert list(texts.left) == ["Some rule of a user."]


@pytest.mark.parametrize("paged", [False, True])
def test_a_report_lists_in_its_end_what_it_left_in_english(paged):
    advice = sample.cpu_machine()
    strange = "Some words <b>that</b> no language file has."
    notice = Notice(code="x", message=strange)
    advice = advice.model_copy(update={"notices": (*advice.notices, notice)})
    texts = load_texts("zh")
    page = render_html(advice, texts, {}, paged=paged)
    end = page[page.rindex("<h2") :]
    assert f"未翻译：{len(texts.left)} 句" in end
    assert '<li lang="en">Some words &lt;b&gt;that&lt;/b&gt; no language file has.</li>' in end
    assert render_html(advice, texts, {}, paged=paged) == page, (
        "what another document left is not listed here"
    )
    assert "Not translated" not in render_html(advice, load_texts("en"), {}, paged=paged)


def test_a_source_stands_as_it_is_quoted_but_for_sentences_of_ours():
    said = load_texts("zh").sentences.quoted
    assert said(
        "arXiv:1412.6980: weight, gradient and two moments; 76 runs of 2 sources: a/b, c/d and others"
    ) == ("arXiv:1412.6980: weight, gradient and two moments; 2 个来源的 76 次训练：a/b, c/d 等")
    assert said("PCIe 4.0 x16: 31 GB/s printed") == "PCIe 4.0 x16: 31 GB/s printed"
    assert Sentences({}).quoted("90000 s; 5 runs of 2 sources: x") == "90000 s; 5 runs of 2 sources: x"


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("domain_devices", "互连域的卡数"),
        ("stack_exposed_torch", "通信未重叠的占比（torch）"),
        ("held_bytes", "一直占用"),
        ("headroom", "余量"),
        ("qkv_op_low", "qkv op low"),  # which the language has no name of
    ],
)
def test_a_name_of_a_rule_is_not_told_by_halves_nor_as_another_thing(name, own):
    assert describe.quantity_name(full_texts("zh"), name).striptags() == own


def test_names_of_quantities_are_no_sentences():
    assert full_texts("zh").sentences.tell("steady") == "steady"


def test_sources_in_our_own_words_are_told():
    said = full_texts("zh").sentences.quoted
    assert said("by definition; arXiv:2104.04473") == "按定义; arXiv:2104.04473"
    assert said("this machine's calibration") == "本机的校准"


def test_parts_of_memory_have_their_names_in_traces():
    texts = full_texts("zh")
    assert describe.quantity_name(texts, "optimizer_bytes").striptags() == "优化器状态"
    assert describe.quantity_name(texts, "global_batch").striptags() == "全局批次大小"


def test_hostile_text_is_no_pattern():
    told = Sentences({"no {what} here": "没有 {what}"}).tell("no {0.__class__} here")
    assert told == "没有 {0.__class__}"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12_300.0, "USD", "1.23 万美元"),
        (3.5 * 86400, "s", "3.5 天"),
        (12_000.0, "s", "3 小时 20 分钟"),
        (1.5e13, "1", "15 万亿"),
        (9.89e14, "FLOP/s", "989 TFLOP/s"),
        (24 * GIB, "B", "24 GiB"),
        (425.0, "images/s", "425 张/秒"),
        (12.1, "samples/s", "12.1 个样本/秒"),
        (3.85, "USD/h", "3.85 美元/小时"),
    ],
)
def test_figures(value, unit, text):
    assert load_texts("zh").number(value, unit) == text


def test_numbers_of_a_language_are_checked(tmp_path):
    (tmp_path / "de.toml").write_text('[numbers]\nweeks = "Wochen"\n')
    with pytest.raises(DataError, match=r"numbers\.weeks"):
        load_texts("de", tmp_path)


def test_the_nearest_published_run_stands_in_the_method():
    advice = sample.gpu_machine()
    run = NearRun(
        id="r", title="Some run", source="example.org/table", measured_s=2.0, rules_s=3.0, weight=0.5
    )
    advice = advice.model_copy(
        update={"estimates": tuple(e.model_copy(update={"near": (run,)}) for e in advice.estimates)}
    )
    page = render_html(advice, load_texts("en"), {})
    method = page[page.index("How a time is estimated") : page.index("What this report was made with")]
    assert method.count("example.org/table") == 1, "one run behind several estimates is told once"
    assert "nearest published run: Some run, 2 s measured, 3 s by the rules" in page


def test_a_number_of_ten_thousands_joins_its_measure_word():
    texts = load_texts("zh")
    count = texts.number(48_800.0, "1")
    assert texts("recipe.samples", "{count} samples", count=count) == "4.88 万个样本"


@pytest.mark.parametrize(
    ("method", "named"), [("lora", "LoRA 微调"), ("full", "全参数微调"), ("pretrain", "预训练")]
)
def test_a_title_names_its_method(method, named):
    told = load_texts("zh").said(f"Llama 3 8B, {method}, 100 million tokens")
    assert told == f"Llama 3 8B，{named}，1 亿 token"


def test_choices_read_as_chinese():
    told = describe.choices_of({"recompute": "none", "sharding": "zero2", "tp": "2"}, load_texts("zh"))
    assert told.striptags() == "不重计算，ZeRO-2 切分，tp 2"


def test_a_source_that_is_one_sentence_of_ours_is_told_whole():
    """It has a semicolon, and a citation, within."""
    said = load_texts("zh").sentences.quoted(
        "method, precision as in 'GPT-2 124M on 10 B tokens'; length and batch of arXiv:2005.14165; "
        "the rest stated by flags"
    )
    assert said.startswith("训练方式，精度取自“GPT-2 124M 预训练，100 亿 token”；") and said.endswith(
        "其余由参数给定"
    )


def test_sources_that_we_word_are_told_and_those_quoted_stand():
    said = load_texts("zh").sentences.quoted
    assert said("affinity") == "CPU 亲和性" and said("main memory") == "主内存"
    assert said("dependent-add loop, best of 9 runs of about 1 ms").startswith(
        "前后相依的加法循环，运行 9 次"
    )
    whole = said("the package of 8 devices: aws trn2 (us-east-2) of 16, rented whole, 2026-09-12: x.com $14")
    assert (
        whole
        == "整块的价格（含 8 个设备）：aws trn2 (us-east-2)，共 16 块，只能整机租用，2026-09-12: x.com $14"
    )


def test_when_a_report_was_made_is_told_for_people():
    page = render_html(sample.cpu_machine(), load_texts("zh"), {})
    assert "+00:00" not in page.partition("<main")[2].partition("advice.json")[0]
    assert "（UTC）</td>" in page
