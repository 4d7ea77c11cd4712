"""The benches themselves on the CPU, briefly: right amounts of work, honest refusals, nothing left behind."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from advisor.bench import feeding, matrix, tasks, training
from advisor.bench.context import MIB, Context
from advisor.bench.devices import Device, Unable
from advisor.bench.noise import Watch
from advisor.bench.timing import Limits

torch = pytest.importorskip("torch", reason="the benches need torch")
FOLDER = Path(matrix.__file__).parent
BRIEF = Limits(min_s=0.01, cap_s=0.05, warm_block_s=0.002, warm_cap_s=0.01, min_blocks=3, block_s=0.001)


@pytest.fixture
def ctx(tmp_path):
    before = torch.get_num_threads()
    yield Context(torch, Device(torch, "cpu"), BRIEF, Watch(), 1, 4 << 30, str(tmp_path))
    torch.set_num_threads(before)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_the_child_is_python_3_9_and_imports_the_standard_library_and_torch_alone(path):
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").partition(".")[0])
        assert not isinstance(node, getattr(ast, "Match", ()))
    import sys

    assert names <= set(sys.stdlib_module_names) | {"torch", "PIL", "tokenizers"}


def test_annotations_stay_text_so_that_new_syntax_in_them_does_no_harm():
    for path in FOLDER.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "from __future__ import annotations" in text or len(text.splitlines()) < 10, path


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "int8"])
def test_matmul_counts_two_operations_per_cell_and_inner_step(ctx, dtype):
    [figure] = list(matrix.matmul(ctx, {"dtype": dtype, "n": 64}))
    assert figure.work == 2.0 * 64**3
    assert figure.samples.blocks


def test_matmul_refuses_what_would_fill_the_memory(ctx):
    with pytest.raises(Unable, match="20 % of the free memory"):
        list(matrix.matmul(ctx, {"dtype": "fp32", "n": 100_000}))


def test_bandwidth_counts_reads_and_writes_and_warns_when_arrays_fit_the_cache(ctx):
    asked = {"bytes": 16 * MIB, "least_bytes": 64 * MIB}
    copy, triad = list(matrix.memory_bandwidth(ctx, asked))
    assert copy.work == 2 * 16 * MIB
    assert triad.work == 3 * 16 * MIB
    assert copy.warnings == ["small_arrays"]


def test_bandwidth_takes_smaller_arrays_when_memory_is_short(ctx):
    ctx.host_free_bytes = 300 * MIB
    copy, _ = list(matrix.memory_bandwidth(ctx, {"bytes": 256 * MIB}))
    assert copy.params["bytes"] <= 20 * MIB


def test_attention_counts_half_of_the_products_under_a_causal_mask(ctx):
    asked = {"dtype": "fp32", "batch": 2, "heads": 3, "seq": 32, "head_dim": 16}
    forward, backward = list(matrix.attention(ctx, asked))
    assert forward.work == 0.5 * 4 * 2 * 3 * 32 * 32 * 16
    assert backward.work == 2 * forward.work


def test_the_serial_chain_is_the_recurrence_it_claims_to_be(ctx):
    [figure] = list(tasks.serial_task(ctx, {"where": "one_core"}))
    assert figure.params["method"] == "compiled"
    assert figure.work == tasks.CHAIN
    x = torch.tensor([tasks.POINT], dtype=torch.float64)
    compiled = torch.special.legendre_polynomial_p(x, torch.tensor([1000.0], dtype=torch.float64)).item()
    assert compiled == pytest.approx(tasks.legendre(tasks.POINT, 1000), abs=1e-9)


def test_a_chain_that_ends_early_is_not_believed(ctx, monkeypatch):
    monkeypatch.setattr(torch.special, "legendre_polynomial_p", lambda x, n: x * float("nan"))
    [figure] = list(tasks.serial_task(ctx, {"where": "one_core"}))
    assert figure.params["method"] == "launches"
    assert figure.warnings == ["chain_by_launches"]


@pytest.mark.parametrize("op", ["image_filter", "matrix_product"])
def test_parallel_tasks_count_pixels_and_operations(ctx, op):
    [figure] = list(tasks.parallel_task(ctx, {"op": op, "where": "one_core", "n": 64}))
    assert figure.work == (64 * 64 if op == "image_filter" else 2.0 * 64**3)


@pytest.mark.parametrize("family", ["decoder", "cnn"])
@pytest.mark.parametrize("layers", [2, 3])
def test_the_analytic_flops_of_a_step_are_those_torch_counts(ctx, family, layers):
    from torch.utils.flop_counter import FlopCounterMode

    make, sizes = training.FAMILIES[family]
    net = make(ctx, sizes[0], layers, "fp32")
    from torch.nn.attention import SDPBackend, sdpa_kernel

    # the plain backend, since torch does not count its fused attention on a CPU
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        net.step()
    counted = counter.get_total_flops()
    if family == "decoder":  # torch counts whole attention matrices, we only what the causal mask leaves
        _, seq, batch, _ = sizes[0]
        width = sizes[0][0]
        counted -= layers * 3 * 0.5 * 4.0 * batch * seq * seq * width
    assert net.flops == pytest.approx(counted, rel=0.02)


def test_a_training_step_learns(ctx):
    """The step is a real one: weights move."""
    net = training.decoder(ctx, training.DECODER_SIZES[0], 2, "fp32")
    before = [weight.detach().clone() for weight in net.parameters]
    net.step()
    assert all(not torch.equal(a, b) for a, b in zip(before, net.parameters, strict=True))


def test_a_training_step_in_fp16_scales_its_loss_and_learns(ctx, monkeypatch):
    updates = []
    real = torch.amp.GradScaler.update
    monkeypatch.setattr(torch.amp.GradScaler, "update", lambda self: (updates.append(1), real(self)))
    net = training.decoder(ctx, training.DECODER_SIZES[0], 2, "fp16")
    before = [weight.detach().clone() for weight in net.parameters]
    net.step()
    assert all(not torch.equal(a, b) for a, b in zip(before, net.parameters, strict=True))
    assert updates == [1]
    training.decoder(ctx, training.DECODER_SIZES[0], 2, "bf16").step()
    assert updates == [1]  # the range of bf16 needs no scaling


def test_train_step_gives_both_depths(ctx):
    asked = {"family": "decoder", "dtype": "fp32", "depths": [2, 6], "target_s": 0.0}
    shallow, deep = list(training.train_step(ctx, asked))
    assert (shallow.params["layers"], deep.params["layers"]) == (2, 6)
    assert deep.params["flops"] > shallow.params["flops"]
    assert len(deep.samples.blocks) == len(shallow.samples.blocks)


def test_disk_read_leaves_no_file_and_reads_from_the_disk(ctx, tmp_path):
    if feeding.filesystem_of(str(tmp_path)) in feeding.IN_MEMORY:
        pytest.skip("the temporary folder is memory")
    [figure] = list(feeding.disk_read(ctx, {"bytes": 64 * MIB, "write_s": 1.0}))
    assert list(tmp_path.iterdir()) == []
    assert figure.params["bytes"] == 64 * MIB
    assert figure.work == feeding.CHUNK


def test_disk_read_refuses_a_figure_when_the_page_cache_answered(ctx, monkeypatch):
    monkeypatch.setattr(feeding, "_storage_bytes", lambda: 0)
    [figure] = list(feeding.disk_read(ctx, {"bytes": 64 * MIB, "write_s": 1.0}))
    assert "cached" in figure.refused


@pytest.mark.parametrize("kind", ["tmpfs", "ramfs"])
def test_disk_read_skips_memory_file_systems(ctx, monkeypatch, kind):
    monkeypatch.setattr(feeding, "filesystem_of", lambda _path: kind)
    with pytest.raises(Unable, match=f"{kind}, which is memory and no disk"):
        list(feeding.disk_read(ctx, {"bytes": 64 * MIB}))


def test_disk_read_says_that_a_disk_is_too_full(ctx, monkeypatch):
    monkeypatch.setattr(feeding, "_free_bytes", lambda _path: 100 * MIB)
    with pytest.raises(Unable, match="MiB free"):
        list(feeding.disk_read(ctx, {"bytes": 512 * MIB}))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_disk_read_says_that_a_folder_is_not_writable(ctx, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(Unable, match="cannot write"):
        list(feeding.disk_read(ctx, {"bytes": 64 * MIB}))


def test_the_longest_mount_wins(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:5 / /tmp rw shared:1 - tmpfs tmpfs rw\n"
        "3 2 8:2 / /tmp/big\\040disk rw - xfs /dev/sdb rw\nbroken line\n"
    )
    of = lambda path: feeding.filesystem_of(path, str(mounts))  # noqa: E731
    assert [of("/usr"), of("/tmp/x"), of("/tmp/big disk/x"), of("/tmpfoo")] == [
        "ext4",
        "tmpfs",
        "xfs",
        "ext4",
    ]


def test_image_decode_makes_pictures_of_the_size_asked_for(ctx):
    pytest.importorskip("PIL", reason="Pillow is not installed")
    [figure] = list(feeding.image_decode(ctx, {"width": 320, "height": 240}))
    assert figure.params["normalise"] is True
    assert 5_000 < figure.params["file_bytes"] < 100_000


def test_tokenize_counts_bytes(ctx):
    pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    [figure] = list(feeding.tokenize(ctx, {}))
    assert figure.work > 1000


@pytest.mark.parametrize("name", ["PIL", "tokenizers"])
def test_a_missing_library_is_told_with_the_command_that_gets_it(ctx, monkeypatch, name):
    import sys

    monkeypatch.setitem(sys.modules, name, None)
    bench = feeding.image_decode if name == "PIL" else feeding.tokenize
    with pytest.raises(Unable) as error:
        list(bench(ctx, {"width": 10, "height": 10}))
    assert (error.value.status, error.value.hint.startswith("pip install")) == ("lib_missing", True)


def test_thread_counts_are_tried_and_the_fastest_is_kept(ctx):
    answer = matrix.pick_threads(ctx, {"counts": [1, 2]})
    assert answer["threads"] in (1, 2)
    assert set(answer["tried"]) == {"1", "2"}


def test_fp8_goes_through_scaled_products_with_b_column_major(ctx):
    """torch's CPU build computes it too, slowly: enough to hold the call's form."""
    if not hasattr(torch, "_scaled_mm"):
        pytest.skip("this torch has no _scaled_mm")
    try:
        [figure] = list(matrix.matmul(ctx, {"dtype": "fp8", "n": 64}))
    except Unable as error:
        pytest.skip(f"no fp8 on this CPU: {error.reason}")
    assert figure.work == 2.0 * 64**3


def test_a_type_nobody_can_multiply_is_refused_with_torchs_own_words(ctx, monkeypatch):
    def refuse(*_a, **_k):
        raise RuntimeError(
            "torch._scaled_mm is only supported on CUDA devices with compute capability >= 9.0"
        )

    monkeypatch.setattr(torch, "_scaled_mm", refuse, raising=False)
    with pytest.raises(Unable, match=r"compute capability >= 9\.0"):
        list(matrix.matmul(ctx, {"dtype": "fp8", "n": 64}))


def test_a_copy_that_cannot_be_pinned_says_so(ctx, monkeypatch):
    def refuse(*_a, **_k):
        raise RuntimeError("Cannot access accelerator device when none is available.")

    monkeypatch.setattr(torch.Tensor, "pin_memory", refuse)
    figures = list(matrix.host_device_copy(ctx, {"bytes": MIB}))
    assert [f.params["direction"] for f in figures] == ["h2d", "d2h"]
    assert all(f.params["pinned"] is False and f.warnings == ["not_pinned"] for f in figures)


def test_the_precision_of_matrix_products_is_put_back(ctx):
    list(matrix.matmul(ctx, {"dtype": "tf32", "n": 64}))
    assert torch.get_float32_matmul_precision() == "highest"
