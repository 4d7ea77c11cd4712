"""The networks a trial builds are those of the presets: the same number of parameters, on the meta device."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from advisor.data.catalogue import load_catalogue
from advisor.data.files import read_toml, shipped

torch = pytest.importorskip("torch", reason="the networks need torch")

from advisor.bench.devices import Device, Unable  # noqa: E402 - after the skip
from advisor.trial.child import training  # noqa: E402
from advisor.trial.child.training import Training  # noqa: E402

FOLDER = Path(training.__file__).parent
NOT_YET = "not supported"
TINY = {
    "layers": 2, "hidden": 32, "heads": 4, "kv_heads": 2, "head_dim": 8, "ffn_hidden": 48, "ffn_matrices": 3,
    "norm_vectors": 1, "vocab": 64, "tied": 1, "positions": 0, "qkv_bias": 0, "linear_bias": 0,
}  # fmt: skip
RECIPE = {
    "method": "full", "precision": "fp32", "optimizer": "adamw", "seq_len": 8, "image_size": 32,
    "lora_rank": 4, "micro_batch": 2, "accumulate": 1, "recompute": "none",
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that spin for each other on busy cores make small steps hundreds of times slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def built(family: str, numbers: dict[str, float], **recipe: object) -> Training:
    """A small network on the CPU."""
    spec = {"family": family, "numbers": numbers, "recipe": {**RECIPE, **recipe}}
    return Training(spec, Device(torch, "cpu"))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_the_child_is_python_3_9_and_imports_the_standard_library_and_torch_alone(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.ImportFrom) and node.level == 3:
            assert (node.module or "").startswith("bench"), "only bench of the rest of hwadvisor"
    assert names <= set(sys.stdlib_module_names) | {"torch"}


def presets() -> list[str]:
    """Presets of the families trial builds, with a published number of parameters."""
    models = load_catalogue().models.values()
    known = [m for m in models if m.family in training.FAMILIES]
    return sorted(m.id for m in known if m.family != "cnn" or "blocks_1" in m.numbers)


@pytest.mark.parametrize("name", presets())
def test_a_preset_has_its_published_number_of_parameters(name: str) -> None:
    model = load_catalogue().models[name]
    published = read_toml(shipped("rules") / "models" / f"{name}.toml")["published_params"]
    numbers = {**model.numbers}
    size = numbers.get("native_image_size", 8)
    try:
        with torch.device("meta"):
            network = training.FAMILIES[model.family](numbers, int(size), False)
    except Unable as refusal:
        assert NOT_YET in refusal.reason
        return
    beside = getattr(network, "beside", None)
    own = 0 if beside is None else sum(p.numel() for p in beside.parameters())
    assert sum(p.numel() for p in network.parameters()) - own == published


def test_what_trial_cannot_build_is_little() -> None:
    refused = 0
    for name in presets():
        model = load_catalogue().models[name]
        refused += any(key in model.numbers for key in ("kv_rank", "sinks", "expert_bias", "scored_share"))
    assert refused < 0.1 * len(presets())


@pytest.mark.parametrize(
    ("family", "more", "recipe"),
    [
        ("decoder", {}, {}),
        ("decoder", {"positions": 16, "norm_vectors": 2, "ffn_matrices": 2, "linear_bias": 1}, {}),
        ("decoder", {"window": 4, "window_layers": 1, "block_norms": 4, "qk_norm_width": 16}, {}),
        ("decoder", {"block_norms": 1, "head_bias": 1}, {"recompute": "full", "accumulate": 2}),
        ("decoder", {}, {"precision": "bf16_mixed", "method": "lora"}),
        ("decoder", {}, {"precision": "bf16", "optimizer": "sgd"}),
        ("moe", {"experts": 4, "experts_per_token": 2, "expert_hidden": 16, "shared_hidden": 8}, {}),
        ("encoder", {"positions": 16, "token_types": 2, "pooler": 1, "norm_vectors": 2, "kv_heads": 4}, {}),
        ("encoder", {"window": 4, "window_layers": 1}, {"precision": "bf16_mixed"}),
        ("vit", {"patch": 8, "classes": 10, "native_image_size": 32, "kv_heads": 4}, {}),
        ("vit", {"patch": 8, "classes": 0, "register_tokens": 2, "layer_scales": 2, "projection": 8}, {}),
        ("cnn", {"blocks_1": 1, "blocks_2": 1, "blocks_3": 1, "blocks_4": 1, "classes": 10}, {}),
        ("cnn", {**{f"blocks_{i}": 1 for i in (1, 2, 3, 4)}, **{f"width_{i}": 8 * i for i in (1, 2, 3, 4)},
                 "classes": 10}, {"recompute": "full", "precision": "bf16_mixed"}),
    ],
)  # fmt: skip
def test_steps_change_what_is_trained_and_nothing_else(
    family: str, more: dict[str, float], recipe: dict[str, object]
) -> None:
    torch.manual_seed(1)
    net = built(family, {**TINY, **more} if family != "cnn" else more, **recipe)
    before = {name: p.detach().clone() for name, p in net.network.named_parameters()}
    net()
    first = net.loss()
    for _ in range(5):
        net()
    assert net.loss() < first, "six steps on the same samples lower their loss"
    moved = {name for name, p in net.network.named_parameters() if not torch.equal(p, before[name])}
    trained = {name for name, p in net.network.named_parameters() if p.requires_grad}
    assert moved <= trained
    assert moved


def test_recomputation_gives_the_same_gradients() -> None:
    grads = []
    for recompute in ("none", "full"):
        torch.manual_seed(3)
        net = built("decoder", TINY, recompute=recompute)
        net.network(*net.batch).backward()
        grads.append(torch.cat([p.grad.flatten() for p in net.network.parameters()]))
    assert torch.allclose(grads[0], grads[1], atol=1e-6)


def test_accumulated_passes_give_the_gradient_of_the_whole_batch() -> None:
    torch.manual_seed(3)
    whole = built("decoder", TINY, micro_batch=4)
    halves = built("decoder", TINY, micro_batch=2, accumulate=2)
    halves.network.load_state_dict(whole.network.state_dict())
    whole.network(*whole.batch).backward()
    for part in whole.batch[0].split(2):
        (halves.network(part) / 2).backward()
    for a, b in zip(whole.network.parameters(), halves.network.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-6)


def test_a_decoder_looks_back_only_and_a_window_no_further_than_it_is_wide() -> None:
    torch.manual_seed(0)
    for more, reach in (({}, 8), ({"window": 3, "window_layers": 1}, 3)):
        net = built("decoder", {**TINY, **more, "layers": 1}).network
        x = torch.randn(1, 8, 32, requires_grad=True)
        out = net.stack(x, None)
        out[0, 5].sum().backward()
        seen = [at for at in range(8) if x.grad[0, at].abs().sum() > 0]
        assert seen == list(range(max(0, 6 - reach), 6))


@pytest.mark.parametrize(
    ("family", "more", "recipe", "words"),
    [
        ("decoder", {"kv_rank": 8}, {}, "latent attention"),
        ("decoder", {"positions": 4}, {}, "4 positions"),
        ("decoder", {}, {"precision": "fp8_mixed"}, "fp8_mixed"),
        ("decoder", {}, {"precision": "tf32"}, "no tf32"),
        ("decoder", {}, {"optimizer": "lion"}, "lion"),
        ("cnn", {}, {}, "without a shape"),
        ("diffusion", {}, {}, "diffusion"),
        ("vit", {"patch": 64}, {}, "no patch"),
    ],
)
def test_what_cannot_be_built_is_said(
    family: str, more: dict[str, float], recipe: dict[str, object], words: str
) -> None:
    with pytest.raises(Unable, match=words):
        built(family, {**TINY, **more}, **recipe)
