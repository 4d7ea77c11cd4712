"""The terminal in Chinese: what is told, how wide it is, and that nothing lacks a translation."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from advisor.cli import cli
from advisor.cli.language import asked, chosen, form, of_locale, show, speak, told, told_error, told_once
from advisor.cli.text import cells, folded, left, right, shortened
from advisor.render.texts import placeholders, terminal_texts

ROOT = Path(__file__).resolve().parents[2]


def _tool() -> object:
    spec = importlib.util.spec_from_file_location("texts_tool", ROOT / "tools" / "list_terminal_texts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _english_again() -> object:
    yield
    speak("en")


def in_chinese(*arguments: str) -> tuple[str, int]:
    done = CliRunner().invoke(cli, ["--lang", "zh", *arguments])
    return done.output, done.exit_code


@pytest.mark.parametrize(
    ("arguments", "environment", "code"),
    [
        (["estimate", "--lang", "zh"], {}, "zh"),
        (["--lang=zh", "plan"], {"LANG": "en_GB.UTF-8"}, "zh"),
        (["--lang", "zh", "report", "--lang", "en"], {}, "en"),
        (["plan"], {"LANG": "zh_CN.UTF-8"}, "zh"),
        (["plan"], {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        (["trial", "--", "--lang", "zh"], {}, "en"),
        ([], {}, "en"),
    ],
)
def test_language_of_a_command_line(arguments: list[str], environment: dict[str, str], code: str) -> None:
    assert asked(arguments, environment) == code


def test_locale_of_another_language_is_english() -> None:
    assert of_locale({"LANG": "de_DE.UTF-8"}) == "en"


def test_help_is_chinese_and_no_line_is_too_wide() -> None:
    output, code = in_chinese("estimate", "--help")
    assert code == 0
    assert "张量并行度" in output
    assert "选项" in output
    assert "Tensor-parallel" not in output
    assert max(cells(line) for line in output.splitlines()) <= 80


def test_flag_lang_after_the_command_too() -> None:
    output = CliRunner().invoke(cli, ["rules", "list", "--help", "--lang", "zh"]).output
    assert "每条规则" in output


def test_unknown_language_is_an_error_before_anything_runs() -> None:
    from advisor.errors import UserError

    done = CliRunner().invoke(cli, ["hardware", "--lang", "xx"])
    assert isinstance(done.exception, UserError)


def test_json_stays_english() -> None:
    chinese, code = in_chinese("hardware", "--json")
    assert code == 0
    assert json.loads(chinese) == json.loads(CliRunner().invoke(cli, ["hardware", "--json"]).output)


def test_errors_and_hints() -> None:
    speak("zh")
    assert told_error("unknown model 'lama'") == "没有模型 'lama'"
    assert told_error("job.toml: model = 3: is no known flag") == "job.toml: model = 3: 不是已知的参数"
    assert told_error("No such option: --foo Did you mean --fop?") == "没有选项 --foo。是不是想用 --fop？"
    assert told_error("a sentence that nobody knows") == "a sentence that nobody knows"


def test_a_text_is_told_once() -> None:
    speak("zh")
    assert told_once(told("What would help, each alone:")) == "以下任一办法有帮助："
    assert told("  ! Your own workload.") == "  ! 您自己的任务。"


def test_forms_and_figures() -> None:
    assert form("{title} on {target}", title="a", target="b") == "a on b"
    speak("zh")
    assert form("{title} on {target}", title="模型", target="本机") == "模型，在本机上"
    assert show(3 * 3600.0, "s") == "3 小时"
    assert show(12_000.0, "USD") == "1.2 万美元"


def test_english_reads_no_language_file() -> None:
    code = (
        "import sys; from advisor.cli.language import told, form; told('not measured'); form('{a}', a=1); "
        "sys.exit('advisor.render' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "wide"), [("abc", 3), ("显存", 4), ("80 GiB，够", 10), ("é", 1), ("e\u0301", 1)]
)
def test_cells(text: str, wide: int) -> None:
    assert cells(text) == wide
    assert cells(left(text, 12)) == cells(right(text, 12)) == 12


def test_lines_of_chinese_fold_between_characters_but_not_before_a_closing_mark() -> None:
    lines = folded("权重和状态切分到所有卡上，每块卡需要 47.3 GiB 显存。", 20, "  - ", "    ").splitlines()
    assert all(cells(line) <= 21 for line in lines)
    assert not any(line.strip()[0] in "，。）" for line in lines)
    assert (
        "".join(line.strip(" -") for line in lines).replace(" ", "").startswith("权重和状态切分到所有卡上，")
    )
    assert shortened("显存需求很大", 7) == "显存需…"


def test_nothing_the_terminal_says_lacks_a_translation() -> None:
    lacks = _tool().missing("zh")  # type: ignore[attr-defined]
    assert not lacks, f"{len(lacks)} texts; python tools/list_terminal_texts.py zh lists them"


def test_places_agree_with_the_english() -> None:
    sentences, _, forms = terminal_texts("zh")
    for english, chinese in {**sentences.patterns, **forms}.items():
        known = placeholders(english)
        assert placeholders(chinese) <= known, english


def test_a_language_before_the_command_is_that_of_what_it_writes(tmp_path: Path) -> None:
    advice = tmp_path / "advice.json"
    advice.write_text('{"schema_version": 1, "stage": "probed"}', encoding="utf-8")
    done = CliRunner().invoke(cli, ["--lang", "zh", "report", str(advice), "--format", "html"])
    assert done.exit_code == 0, done.output
    assert '<html lang="zh-CN"' in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_page_of_a_rule_is_told_and_its_formula_and_sources_stand() -> None:
    page, code = in_chinese("rules", "show", "step-copy")
    assert code == 0
    assert "说明：     默认的（foreach）AdamW" in page and "输入列：软件的年份" in page
    assert "the default (foreach) AdamW takes" not in page
    assert "update_alive * update_result if vendor_cpu" in page
    assert "traced with fake tensors" in page
    speak("en")
    plain = CliRunner().invoke(cli, ["--lang", "en", "rules", "show", "step-copy"]).output
    assert "why:       the default (foreach) AdamW takes" in plain


def test_a_mistyped_option_is_told_whole_with_the_nearest_first(capsys: pytest.CaptureFixture[str]) -> None:
    from advisor.cli.failures import run_guarded

    for code, line, hint in (
        ("zh", "没有选项 '--modle'", "是不是想用 --model, --"),
        ("en", "no such option '--modle'", "Did you mean --model, --"),
    ):
        sys.argv[1:] = ["--lang", code, "plan", "--modle", "x"]
        assert run_guarded(cli) == 2
        told = capsys.readouterr().err.splitlines()
        assert told[0] == f"hwadvisor: {line}" and hint in told[1] and "plan --help" in told[1]


def test_what_one_types_is_not_translated() -> None:
    speak("zh")
    assert told("There is: ordinary, full.") == "可选：ordinary, full。"
    assert told("Did you mean none or full?") == "是不是想用 none 或 full？"
    assert "[默认：none]" in in_chinese("validate", "--help")[0].replace("\n", "")


def test_choices_of_a_set_up_read_as_chinese() -> None:
    assert chosen("recompute", "none") == "recompute none"
    speak("zh")
    assert [chosen("recompute", "none"), chosen("sharding", "zero2"), chosen("precision", "bf16_mixed")] == [
        "不重计算",
        "ZeRO-2 切分",
        "bf16 混合精度",
    ]
    assert chosen("micro-batch", "2") == "微批次 2"


def test_doctor_and_models_speak_chinese() -> None:
    speak("zh")
    assert (
        told("torch 2.13.0+cpu under Python 3.11.7 (/opt/python)")
        == "torch 2.13.0+cpu，Python 3.11.7（/opt/python）"
    )
    assert told("3.11.7 at /opt/python") == "3.11.7（/opt/python）"
    shown, _ = in_chinese("hardware", "show", "nvidia-h100-sxm5-80gb")
    assert (
        "内存带宽：" in shown
        and "美元/小时" in shown
        and "memory_bytes" not in shown
        and "on_demand" not in shown
    )
    listed, _ = in_chinese("models")
    assert "参数量" in listed and "encoder_decoder" not in listed and "用户给定" not in listed


@pytest.mark.parametrize(
    ("line", "chinese"),
    [
        ("net.py:build raised ValueError: bad is worse (net.py, line 3)",
         "net.py:build 抛出 ValueError: bad is worse (net.py, line 3)"),
        ("net.py:build wants an accelerator: RuntimeError: PyTorch is not linked with CUDA",
         "net.py:build 需要加速器：RuntimeError: PyTorch is not linked with CUDA"),
        ("net.py:build: there is no loss to be had from a weight that is trained: it returns None",
         "net.py:build: 从参与训练的权重得不到损失：它返回 None"),
        ("'h100' is taken for nvidia-h100-sxm5-80gb; nvidia-h100-nvl-94gb could be meant too.",
         "把“h100”当作 nvidia-h100-sxm5-80gb；也可能是 nvidia-h100-nvl-94gb。"),
        ("Batch and loss of the trace: Bx3:float32; the sum of its outputs, as it returns no loss.",
         "追踪所用的批次与损失：Bx3:float32；各输出之和（网络没有返回损失）。"),
    ],
)  # fmt: skip
def test_what_a_trace_says_is_told_and_exceptions_stay(line: str, chinese: str) -> None:
    """A sentence of ours around an exception's own words, which few words of a pattern may be in."""
    speak("zh")
    try:
        assert told_error(line) == chinese
    finally:
        speak("en")
