"""Details of a recipe: each changes time and memory as it should, by closed form where there is one."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.app import Knowledge, load_knowledge
from advisor.data.resolve import entry_of
from advisor.errors import UserError
from advisor.estimate import Table, evaluate
from advisor.estimate.inputs import of_accelerator
from advisor.model import model_of_size
from advisor.schema import Kind, Model
from advisor.search import workload_from_flags
from advisor.search.grid import Stated
from advisor.search.inputs import of_workload

KNOWN = load_knowledge()
H100 = "nvidia-h100-sxm5-80gb"
SET_UP = {"devices": 8.0, "micro_batch": 1.0, "recompute": "none", "sharding": "none", "stack": "torch"}
NAMES = (
    "step_s", "update_s", "memory_bytes", "weights_bytes", "gradients_bytes", "optimizer_bytes",
    "activation_bytes", "loss_bytes", "copies_bytes", "step_copy_bytes", "held_bytes", "params",
    "model_flops_per_sample", "layers_forward_flops", "head_forward_flops", "attention_forward_flops",
    "embedding_params", "orthogonal_s", "averages_s", "plain_rate", "loss__op_s", "encoder_bytes",
    "layer_activation_bytes", "tokens_per_sample", "operators_s", "calendar_factor",
)  # fmt: skip


def of(
    model: str | Model = "llama-3-8b", device: str = H100, method: str = "full", **more: Any
) -> dict[str, float | None]:
    """The quantities of one row: details by their flags' names, columns of the set-up by theirs."""
    columns = {name: more.pop(name) for name in list(more) if name in KNOWN.book.columns and name in LAYOUT}
    precision = more.pop("precision", None)
    job = workload_from_flags(
        KNOWN.catalogue, model, method=method, precision=precision, batch=64, details=more
    )
    row = of_workload(job).update(of_accelerator(entry_of(device, KNOWN.catalogue)))
    for name, value in {**SET_UP, **columns}.items():
        row.put(name, value, Kind.stated, "test")
    table = Table.from_rows(KNOWN.book, [row.values])
    done = evaluate(KNOWN.book, table, [name for name in NAMES if name in KNOWN.book.quantities])
    return {name: done.value(name, 0) for name in NAMES if name in KNOWN.book.quantities}


LAYOUT = ("devices", "micro_batch", "recompute", "sharding", "stack", "tp", "pp", "effort")


def known(found: dict[str, float | None], name: str) -> float:
    value = found[name]
    assert value is not None, name
    return value


def test_evaluation_takes_a_forward_pass_of_each_sample_on_the_calendar() -> None:
    usual = known(of(), "calendar_factor")
    assert known(of(eval_share=0.3), "calendar_factor") / usual == pytest.approx(1.13 / 1.03)
    full = known(of(eval_share=0.3, recompute="full"), "calendar_factor")
    assert full / usual == pytest.approx(1.105 / 1.03)  # a quarter of the passes with recomputation
    assert known(of(eval_share=0.3, method="lora"), "calendar_factor") / usual == pytest.approx(1.18 / 1.03)
    assert known(of(eval_share=0.3), "step_s") == known(of(), "step_s")


def test_a_moving_average_is_one_more_copy_read_and_written() -> None:
    none, one, two = of(), of(ema=1), of(ema=2)
    params = known(none, "params")
    assert known(one, "weights_bytes") - known(none, "weights_bytes") == pytest.approx(4 * params)
    assert known(two, "weights_bytes") - known(none, "weights_bytes") == pytest.approx(8 * params)
    assert known(one, "averages_s") == pytest.approx(12 * params / 3.35e12, rel=0.02)
    assert known(one, "step_s") - known(none, "step_s") == pytest.approx(known(one, "averages_s"), rel=1e-6)
    cut = of(ema=1, sharding="fsdp")
    assert known(cut, "averages_s") == pytest.approx(known(one, "averages_s") / 8)
    # beside 16-bit weights it is fp32 all the same
    both = [known(of(ema=n, stack="megatron"), "weights_bytes") for n in (0, 1)]
    assert both[1] - both[0] == pytest.approx(4 * params)


def test_what_is_frozen_below_has_no_backward_pass() -> None:
    whole, below, between = of(), of(train_only="25%"), of(train_only="25%", frozen="between")
    params = known(whole, "params")
    for name in ("activation_bytes", "gradients_bytes", "optimizer_bytes", "copies_bytes"):
        assert known(below, name) == pytest.approx(known(whole, name) / 4), name
    assert known(between, "activation_bytes") == known(whole, "activation_bytes")
    assert known(between, "gradients_bytes") == pytest.approx(known(whole, "gradients_bytes") / 4)
    layers, head = known(whole, "layers_forward_flops"), known(whole, "head_forward_flops")
    scores = known(whole, "attention_forward_flops")
    assert known(below, "model_flops_per_sample") == pytest.approx(1.5 * layers + 3 * head + 1.5 * scores)
    assert known(between, "model_flops_per_sample") == pytest.approx(2.25 * layers + 3 * head + 3 * scores)
    assert known(below, "step_s") < known(between, "step_s") < known(whole, "step_s")
    told = of(train_only=f"{params / 4:.0f}")
    assert known(told, "step_s") == pytest.approx(known(below, "step_s"), rel=1e-6)
    assert known(of(train_only="100%"), "step_s") == known(whole, "step_s")


def test_so_many_blocks_are_trained() -> None:
    """Their own weights, without embeddings and head: 2 of 32 blocks of Llama 3 8B."""
    told, whole = of(train_only="2 layers"), of()
    trained = 2 * (218_103_808 + 8_192)
    share = known(told, "gradients_bytes") / known(whole, "gradients_bytes")
    assert share == pytest.approx(trained / known(whole, "params"))
    assert known(told, "step_s") < known(whole, "step_s")


def test_frozen_parts_of_a_recomputed_network_are_not_run_again() -> None:
    whole, below = of(recompute="full"), of(recompute="full", train_only="25%")
    assert known(below, "step_s") < 0.6 * known(whole, "step_s")
    assert known(below, "activation_bytes") == pytest.approx(known(whole, "activation_bytes") / 4)


def test_the_loss_in_chunks_and_fused() -> None:
    plain, chunked, fused = of(loss="plain"), of(loss="chunked"), of(loss="fused")
    scores = 2048 * 128256
    assert known(fused, "loss_bytes") == pytest.approx(0.5 * scores)
    assert known(chunked, "loss_bytes") == pytest.approx(2.5 * scores)
    assert known(plain, "loss_bytes") == known(of(), "loss_bytes") > 12 * scores
    assert known(fused, "loss__op_s") == pytest.approx(0.33 * known(plain, "loss__op_s"))
    assert known(fused, "step_s") < known(plain, "step_s")
    size = [of(model_of_size(7e9), loss=loss) for loss in ("plain", "fused")]
    assert known(size[1], "loss_bytes") < 0.1 * known(size[0], "loss_bytes")


def newton_schulz(matrices: list[tuple[int, int]], steps: int = 5) -> float:
    """FLOPs of the products X X^T, A A and B X for each matrix of so many rows and columns."""
    done = 0.0
    for rows, columns in matrices:
        m, n = sorted((rows, columns))
        done += steps * 2 * (m * n * m + m * m * m + m * m * n)
    return done


def test_muon_makes_every_matrix_of_the_blocks_orthogonal() -> None:
    muon, adam = of(optimizer="muon"), of(optimizer="adamw")
    block = [(4096, 4096), (4096, 1024), (4096, 1024), (4096, 4096), *[(4096, 14336)] * 3]
    work = newton_schulz(32 * block)
    assert known(muon, "orthogonal_s") == pytest.approx(work / known(muon, "plain_rate"), rel=1e-6)
    assert known(of(optimizer="muon", sharding="zero1"), "orthogonal_s") == pytest.approx(
        known(muon, "orthogonal_s") / 8
    )
    assert known(muon, "optimizer_bytes") == pytest.approx(
        4 * (known(muon, "params") + known(muon, "embedding_params"))
    )
    assert known(muon, "step_s") > known(adam, "step_s")
    assert known(adam, "orthogonal_s") == 0
    moe = of("mixtral-8x7b", optimizer="muon")
    block = [(4096, 4096), (4096, 1024), (4096, 1024), (4096, 4096), *[(4096, 14336)] * 24]
    assert known(moe, "orthogonal_s") == pytest.approx(newton_schulz(32 * block) / known(moe, "plain_rate"))
    counted = of("resnet-50", optimizer="muon")
    assert counted["step_s"] is None
    assert known(counted, "memory_bytes") > 0


@pytest.mark.parametrize(
    ("optimizer", "width", "traffic"),
    [("adamw", 8, 7), ("lion", 4, 5), ("sgd", 4, 5), ("adamw_8bit", 2, 4), ("lamb", 8, 10),
     ("adafactor", 8 / 4096, 7)],
)  # fmt: skip
def test_states_and_traffic_of_optimizers(optimizer: str, width: float, traffic: float) -> None:
    found, adam = of(optimizer=optimizer), of(optimizer="adamw")
    assert known(found, "optimizer_bytes") == pytest.approx(width * known(found, "params"))
    fixed = known(of("gpt2-124m"), "update_s") * 0  # the fixed share of a step is the same in both
    moved = known(adam, "update_s") - known(found, "update_s") - fixed
    factor = KNOWN.book.constants["moved_per_update"].value * known(adam, "params")
    assert moved == pytest.approx((1 - traffic / 7) * factor / 3.35e12, abs=1e-4)


def test_one_kernel_or_single_operations_for_adam() -> None:
    fused, foreach = of(optimizer_kernel="fused"), of(optimizer_kernel="foreach")
    assert known(fused, "step_copy_bytes") == 0
    assert known(foreach, "step_copy_bytes") == pytest.approx(4 * known(fused, "params"))
    assert known(foreach, "step_s") > known(fused, "step_s")


def test_attention_stored_or_not() -> None:
    flash, sdpa, eager = (of(attention=word) for word in ("flash", "sdpa", "eager"))
    assert flash == sdpa
    assert known(eager, "step_s") > known(flash, "step_s")
    assert known(eager, "activation_bytes") > known(flash, "activation_bytes")


def test_sequence_parallelism_cuts_what_tensor_parallelism_leaves_whole() -> None:
    layout: dict[str, Any] = {"tp": 8, "stack": "megatron"}
    on, off = of(sequence_parallel=True, **layout), of(sequence_parallel=False, **layout)
    assert known(off, "layer_activation_bytes") > 2 * known(on, "layer_activation_bytes")
    assert known(off, "step_s") > known(on, "step_s")


def test_images_with_channels_last_are_quicker_and_as_large() -> None:
    first, last = (of("resnet-50", channels_last=flag) for flag in (False, True))
    assert known(last, "step_s") < known(first, "step_s")
    assert known(last, "memory_bytes") == known(first, "memory_bytes")
    assert first == of("resnet-50")


@pytest.mark.parametrize("model", ["resnet-50", "vit-b-16", "sd-1.5", "dit-xl-2", "swin-t"])
def test_larger_images_take_more_of_everything(model: str) -> None:
    small, large = (of(model, image_size=edge, micro_batch=8) for edge in (256, 512))
    for name in ("step_s", "memory_bytes", "activation_bytes", "model_flops_per_sample"):
        assert known(large, name) > known(small, name), name
    if model in ("resnet-50", "sd-1.5"):
        assert known(large, "activation_bytes") == pytest.approx(4 * known(small, "activation_bytes"))


def test_a_latent_is_an_eighth_of_its_image() -> None:
    assert of("sd-1.5", latent_size=32) == of("sd-1.5", image_size=256)
    assert of("sd-1.5", latent_size=64) == of("sd-1.5")
    with pytest.raises(UserError, match="--latent-size 64 is an image of 512, not of 256"):
        of("sd-1.5", latent_size=64, image_size=256)


def test_frames_of_a_video_see_each_other() -> None:
    image, video = of("dit-xl-2"), of("dit-xl-2", frames=4)
    assert known(video, "tokens_per_sample") == 4 * known(image, "tokens_per_sample")
    assert known(video, "attention_forward_flops") == pytest.approx(
        16 * known(image, "attention_forward_flops")
    )
    assert known(video, "activation_bytes") == pytest.approx(4 * known(image, "activation_bytes"))
    filled = [known(of("dit-xl-2", frames=n, micro_batch=8), "operators_s") for n in (1, 4)]
    assert 2 * filled[0] < filled[1] < 5 * filled[0]
    assert known(video, "step_s") > known(image, "step_s")


def test_encoders_beside_a_denoiser_cost_nothing_where_their_output_is_cached() -> None:
    numbers = KNOWN.catalogue.models["sd-1.5"].numbers
    cached = of("sd-1.5")
    assert cached == of("sd-1.5", cached_latents=True, cached_text=True)
    latents, text = of("sd-1.5", cached_latents=False), of("sd-1.5", cached_text=False)
    assert known(latents, "encoder_bytes") == 2 * numbers["latent_encoder_params"]
    assert known(text, "encoder_bytes") == 2 * numbers["text_encoder_params"]
    both = of("sd-1.5", cached_latents=False, cached_text=False)
    assert known(both, "held_bytes") - known(cached, "held_bytes") == pytest.approx(
        known(latents, "encoder_bytes") + known(text, "encoder_bytes")
    )
    added = [known(found, "operators_s") - known(cached, "operators_s") for found in (latents, text, both)]
    assert added[2] == pytest.approx(added[0] + added[1])
    assert 0 < added[1] < 0.05 * known(cached, "operators_s")
    # the autoencoder's one pass writes 1.46 and computes 1.39 times what one of the denoiser's four does
    filled = [
        known(of("sd-1.5", cached_latents=flag, micro_batch=8), "operators_s") for flag in (True, False)
    ]
    assert 1.25 < filled[1] / filled[0] < 1.6
    smaller = of("sd-1.5", cached_latents=False, image_size=256)
    plain = known(of("sd-1.5", image_size=256), "operators_s")
    assert known(smaller, "operators_s") - plain < 0.5 * added[0]


def test_the_encoders_of_the_presets_are_those_of_their_modules() -> None:
    """Encoder of AutoencoderKL: 34,163,592 weights and 72 of the layer behind it (of 83,653,863 in all)."""
    shapes = ((123_060_480,), (340_387_840,), (123_060_480, 694_659_840), (123_060_480, 4_762_310_656))
    for name, text in zip(("sd-1.5", "sd-2.1", "sdxl", "flux.1-dev"), shapes, strict=True):
        numbers = KNOWN.catalogue.models[name].numbers
        assert numbers["text_encoder_params"] == sum(text)
        assert numbers["latent_encoder_params"] == (34_274_208 if name == "flux.1-dev" else 34_163_664)


def test_formats_are_quicker_the_narrower_and_known_only_where_units_have_them() -> None:
    b200 = "nvidia-b200-sxm-180gb"
    names = ("fp32", "tf32", "bf16_mixed", "fp8_mixed", "nvfp4_mixed")
    steps = [known(of(device=b200, precision=name, tp=1), "operators_s") for name in names]
    assert steps == sorted(steps, reverse=True)
    assert of(precision="mxfp8_mixed")["step_s"] is None  # Hopper has no scales for blocks of numbers
    assert of(precision="nvfp4_mixed")["step_s"] is None
    assert known(of(device=b200, precision="mxfp8_mixed"), "step_s") > 0
    pure, mixed = of(precision="bf16"), of(precision="bf16_mixed")
    assert known(pure, "weights_bytes") == known(mixed, "weights_bytes") / 2
    kept = [
        known(of(precision=f"{p}_mixed", stack="megatron"), "activation_bytes")
        for p in ("bf16", "fp8", "nvfp4")
    ]
    assert kept == sorted(kept, reverse=True)


def test_adapters_and_quantised_bases() -> None:
    narrow, wide = (of(method="lora", lora_targets=word) for word in ("attention", "all"))
    assert known(narrow, "optimizer_bytes") < 0.5 * known(wide, "optimizer_bytes")
    four, eight = (of(method="qlora", quant_bits=bits) for bits in ("4", "8"))
    assert known(four, "weights_bytes") < 0.7 * known(eight, "weights_bytes")
    double = of(method="qlora", double_quant=True)
    assert known(double, "weights_bytes") < known(four, "weights_bytes")
    average = of(method="lora", ema=1)
    assert known(average, "memory_bytes") - known(of(method="lora"), "memory_bytes") < 1e9


def test_what_frees_memory_frees_it() -> None:
    assert known(of(step_in_backward=True), "gradients_bytes") == 0
    recomputed = of(recompute="full")
    assert known(of(recompute="full", offload_activations=True), "activation_bytes") == pytest.approx(
        known(recomputed, "activation_bytes") / 32
    )
    assert known(of(fused_kernels=True), "activation_bytes") < known(of(), "activation_bytes")
    wide, narrow = (of(stack="megatron", precision="fp8_mixed", fp8_weights=flag) for flag in (False, True))
    assert known(narrow, "weights_bytes") == known(wide, "weights_bytes") / 2


@pytest.mark.parametrize(
    ("model", "more", "words"),
    [
        ("llama-3-8b", {"loss": "fuzed"}, "--loss 'fuzed' is none of plain, chunked, fused"),
        ("llama-3-8b", {"attention": 7}, "--attention '7' is none of flash, sdpa, eager"),
        ("llama-3-8b", {"ema": 17}, "--ema 17 is not between 0 and 16"),
        ("llama-3-8b", {"train_only": "0%"}, "--train-only '0%' is not a share"),
        ("llama-3-8b", {"train_only": "nan"}, "is not between 1 and 1e15"),
        ("llama-3-8b", {"train_only": "inf"}, "is not between 1 and 1e15"),
        ("llama-3-8b", {"train_only": ""}, "is no number of weights"),
        ("llama-3-8b", {"train_only": "33 layers"}, "is not between 1 and the 32 layers of Llama 3 8B"),
        ("resnet-50", {"train_only": "3 layers"}, "are not known one by one"),
        ("llama-3-8b", {"train_only": "x layers"}, "is no number of weights"),
        ("llama-3-8b", {"train_only": "lots"}, "is no number of weights"),
        ("llama-3-8b", {"train_only": "1e400"}, "is not between 1 and 1e15"),
        ("llama-3-8b", {"method": "lora", "train_only": "10%"}, "--train-only 10% says nothing of"),
        ("llama-3-8b", {"frozen": "below"}, "--frozen below needs --train-only"),
        ("llama-3-8b", {"train_only": "1B", "frozen": "above"}, "--frozen 'above' is none of below, between"),
        ("llama-3-8b", {"lora_targets": "all"}, "--lora-targets all says nothing of"),
        ("llama-3-8b", {"quant_bits": "4"}, "--quant-bits 4 says nothing of"),
        ("llama-3-8b", {"method": "qlora", "quant_bits": "3"}, "--quant-bits '3' is none of 4, 8"),
        ("llama-3-8b", {"image_size": 224}, "--image-size 224 says nothing of"),
        ("llama-3-8b", {"channels_last": True}, "--channels-last says nothing of"),
        ("llama-3-8b", {"cached_latents": False}, "--cached-latents says nothing of"),
        ("llama-3-8b", {"fp8_weights": True}, "--fp8-weights does not go with --precision"),
        ("llama-3-8b", {"optimizer": "lion", "optimizer_kernel": "fused"}, "nothing of the optimizer lion"),
        ("llama-3-8b", {"optimizer": "adem"}, "unknown optimizer 'adem'"),
        ("resnet-50", {"attention": "flash"}, "--attention flash says nothing of"),
        ("resnet-50", {"loss": "fused"}, "--loss fused says nothing of"),
        ("sd-1.5", {"frames": 4}, "--frames 4 says nothing of"),
        ("dit-xl-2", {"frames": 0}, "--frames 0 is not between 1 and"),
        ("dit-xl-2", {"channels_last": True}, "--channels-last says nothing of"),
        ("dit-xl-2", {"cached_text": False}, "--no-cached-text: the text encoders of"),
        ("sd-1.5", {"latent_size": 0}, "--latent-size 0 is not between"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_with_flag_and_value(model: str, more: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as caught:
        of(model, **more)
    assert words in caught.value.message
    assert caught.value.hint


def test_inputs_of_blocks_wait_in_the_host_only_where_blocks_are_recomputed() -> None:
    recipe = workload_from_flags(KNOWN.catalogue, "llama-3-8b", details={"offload_activations": True}).recipe
    assert Stated().of_recipe(recipe).recompute == "full"
    assert Stated(recompute="full").of_recipe(recipe).recompute == "full"
    for word in ("none", "selective"):
        with pytest.raises(UserError, match=f"--recompute {word} has none"):
            Stated(recompute=word).of_recipe(recipe)
    plain = workload_from_flags(KNOWN.catalogue, "llama-3-8b", details={"offload_activations": False}).recipe
    assert Stated(recompute="none").of_recipe(plain).recompute == "none"
    for model in ("resnet-50", "sd-1.5", "flan-t5-xl"):
        with pytest.raises(UserError, match="--offload-activations says nothing of"):
            workload_from_flags(KNOWN.catalogue, model, details={"offload_activations": True})


@pytest.mark.parametrize("word", ["grpo", "GRPO", "ppo", "rlhf", "online_dpo", "rloo"])
def test_rollouts_are_refused_by_name_with_the_reason(word: str) -> None:
    with pytest.raises(UserError, match="not modelled: most of its time goes into generating text"):
        of(method=word)


def test_details_are_told_as_stated(knowledge: Knowledge = KNOWN) -> None:
    job = workload_from_flags(
        knowledge.catalogue,
        "sd-1.5",
        details={"ema": 1, "image_size": 256, "loss": None, "optimizer": "lion"},
    )
    assert {"ema_copies", "image_size", "optimizer"} <= set(job.recipe.stated)
    assert job.recipe.optimizer == "lion"
    sources = of_workload(job).sources
    assert sources["ema_copies"] == sources["image_size"] == ("stated", "flags")
    untouched = workload_from_flags(knowledge.catalogue, "sd-1.5", details={})
    assert untouched == workload_from_flags(knowledge.catalogue, "sd-1.5")


def test_two_stacks_have_a_length_each_and_a_time() -> None:
    same, shorter = of("t5-base"), of("t5-base", decoder_seq_len=128)
    assert same == of("t5-base", decoder_seq_len=2048)
    for name in ("step_s", "memory_bytes", "model_flops_per_sample", "loss_bytes"):
        assert known(shorter, name) < known(same, name), name
    # 12 blocks of 7.08e6 multiply-adds for each of 2,048 tokens in either stack, and cross-attention
    assert known(same, "layers_forward_flops") == pytest.approx(2 * 2048 * 12 * (2 * 7_077_888 + 2_359_296))


@pytest.mark.parametrize(
    ("model", "optimizer", "numbers"),
    [
        ("resnet-50", "sgd", {"image_size": 224.0}), ("efficientnet-b7", "sgd", {"image_size": 600.0}),
        ("vit-b-16", "adamw", {"image_size": 224.0}), ("sd-1.5", "adamw", {"image_size": 512.0}),
        ("swin-t", "adamw", {"image_size": 224.0}), ("wav2vec2-base", "adamw", {}),
        ("t5-base", "adamw", {"decoder_seq_len": 512.0}),
    ],
)  # fmt: skip
def test_what_flags_leave_open_goes_with_the_network(
    model: str, optimizer: str, numbers: dict[str, float]
) -> None:
    recipe = workload_from_flags(KNOWN.catalogue, model).recipe
    assert recipe.optimizer == optimizer
    sizes = ("image_size", "decoder_seq_len")
    assert {name: value for name, value in recipe.numbers.items() if name in sizes} == numbers
    if model == "wav2vec2-base":
        assert recipe.seq_len == KNOWN.catalogue.models[model].numbers["native_seq_len"]
