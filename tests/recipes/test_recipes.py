"""Recipe files as people have them: what each says as flags, and what is told of the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.errors import DataError, UserError
from advisor.recipes import Recipe, read_recipe

HERE = Path(__file__).resolve().parent.parent / "fixtures" / "recipes"


def told(recipe: Recipe, **flags: str | bool) -> None:
    """Hold these flags of a recipe."""
    assert {name: recipe.flags.get(name) for name in flags} == flags


def written(folder: Path, name: str, text: str) -> Recipe:
    """The recipe of a text."""
    path = folder / name
    path.write_text(text, "utf-8")
    return read_recipe(path)


def test_llamafactory_lora() -> None:
    recipe = read_recipe(HERE / "llamafactory_lora_sft.yaml")
    told(
        recipe, model="meta-llama/Meta-Llama-3-8B-Instruct", method="lora", lora_rank="16", seq_len="4096",
        precision="bf16_mixed", recompute="full", attention="flash", loss="fused", fused_kernels=True,
        micro_batch="2", accumulate="8", epochs="3", stack="hf-trainer",
    )  # fmt: skip
    assert recipe.unknown == ("my_own_switch",)
    assert "learning_rate" in recipe.aside
    assert recipe.said["seq_len"] == "cutoff_len: 4096"
    assert Path(str(recipe.flags["dataset"])) == HERE / "data" / "notes.jsonl", "found by dataset_info.json"


def test_llamafactory_dpo_with_deepspeed() -> None:
    recipe = read_recipe(HERE / "llamafactory_full_dpo.yaml")
    told(
        recipe, method="dpo", micro_batch="2", accumulate="4", precision="bf16", optimizer="adamw_8bit",
        sharding="fsdp", offload="params", recompute="full",
    )  # fmt: skip
    assert any(text.startswith("use_galore") for text in recipe.unmodelled)
    assert any(text.startswith("max_samples") for text in recipe.unmodelled)
    assert not recipe.unknown


def test_axolotl_qlora_with_fsdp() -> None:
    recipe = read_recipe(HERE / "axolotl_qlora_fsdp.yaml")
    told(
        recipe, method="qlora", lora_rank="8", quant_bits="4", seq_len="512", micro_batch="1", accumulate="4",
        epochs="4", sharding="fsdp", offload="params", attention="flash", precision="bf16_mixed",
    )  # fmt: skip
    assert not recipe.unknown
    assert not recipe.unmodelled


def test_axolotl_full_with_liger() -> None:
    recipe = read_recipe(HERE / "axolotl_full_liger.yaml")
    told(
        recipe, method="full", precision="bf16", steps="500", loss="fused", fused_kernels=True,
        offload_activations=True, recompute="full", sharding="zero2", optimizer_kernel="fused",
    )  # fmt: skip
    assert "epochs" not in recipe.flags, "steps go before epochs"
    assert recipe.unknown == ("made_up_key",)
    assert any("read from its name" in note for note in recipe.notes)


def test_trl_script_with_accelerate() -> None:
    recipe = read_recipe(HERE / "trl_sft.sh")
    told(
        recipe, model="Qwen/Qwen2.5-7B", method="full", seq_len="2048", micro_batch="4", accumulate="4",
        steps="1000", sharding="hsdp", precision="bf16", attention="flash",
    )  # fmt: skip
    assert recipe.devices == 8
    assert not recipe.unknown


def test_trl_dpo_counts_pairs_as_two() -> None:
    recipe = read_recipe(HERE / "trl_dpo.yaml")
    told(recipe, method="dpo-lora", micro_batch="4", accumulate="8", lora_targets="attention", lora_rank="32")
    assert recipe.trainer == "TRL (dpo)"


def test_diffusers_script() -> None:
    recipe = read_recipe(HERE / "diffusers_sdxl_lora.sh")
    told(
        recipe, method="lora", lora_rank="8", image_size="1024", micro_batch="1",
        accumulate="4", steps="1500", optimizer="adamw_8bit", precision="fp16_mixed", recompute="full",
    )  # fmt: skip
    assert recipe.unknown == ("frobnicate",)
    assert recipe.devices == 2


PLAIN = {"sharding": "none", "tp": "1", "pp": "1", "cp": "1", "ep": "1", "offload": "none"}
NO_LAYOUT = "Neither DeepSpeed nor FSDP is named"


@pytest.mark.parametrize(
    "text",
    [
        "model_name_or_path: gpt2\nstage: sft\nfinetuning_type: full\n",
        "model_name_or_path: gpt2\n",
        "base_model: mixtral\n",
        "pretrained_model_name_or_path: sd\n",
        "per_device_train_batch_size: 4\n",
        "model_name_or_path: gpt2\nfsdp: false\n",
    ],
)
def test_a_layout_that_nothing_names_is_the_trainers_own(tmp_path: Path, text: str) -> None:
    recipe = written(tmp_path, "job.yaml", text)
    told(recipe, **PLAIN)
    assert any(note.startswith(NO_LAYOUT) for note in recipe.notes)


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        (
            "model_name_or_path: gpt2\nstage: sft\ndeepspeed: nobody.json\n",
            {"sharding": None, "offload": None},
        ),
        ("model_name_or_path: gpt2\nfsdp_config: nobody.json\n", {"sharding": None, "offload": None}),
        ("model_name_or_path: gpt2\naccelerate_config: nobody.yaml\n", {"sharding": None, "offload": None}),
        ("model_name_or_path: gpt2\naccelerate_config: zero2\n", {"sharding": "zero2", "offload": "none"}),
        ("model_name_or_path: gpt2\nfsdp: true\n", {"sharding": "fsdp", "offload": "none"}),
    ],
)
def test_a_layout_told_elsewhere_is_not_the_trainers_own(
    tmp_path: Path, text: str, flags: Mapping[str, str | None]
) -> None:
    recipe = written(tmp_path, "job.yaml", text)
    assert {name: recipe.flags.get(name) for name in flags} == flags
    assert not any(note.startswith(NO_LAYOUT) for note in recipe.notes)


def test_a_launchers_layout_holds_for_the_file_it_starts(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text((HERE / "accelerate_fsdp.yaml").read_text("utf-8"), "utf-8")
    (tmp_path / "x.yaml").write_text("model_name_or_path: gpt2\nstage: sft\n", "utf-8")
    line = "accelerate launch --config_file a.yaml -m axolotl.cli.train x.yaml"
    assert written(tmp_path, "run.sh", line).flags["sharding"] == "hsdp"


@pytest.mark.parametrize(
    ("text", "flags", "devices"),
    [
        ("dp_shard_size: 2\ntensor_parallel_size: 2\ncontext_parallel_size: 2\n",
         {"sharding": "fsdp", "tp": "2", "cp": "2"}, 8),
        ("dp_shard_size: 8\ndp_replicate_size: 2\n", {"sharding": "hsdp", "tp": "1"}, 16),
        ("dp_shard_size: 1\ntensor_parallel_size: 4\n", {"sharding": "none", "tp": "4"}, 4),
    ],
)  # fmt: skip
def test_axolotls_mesh(tmp_path: Path, text: str, flags: Mapping[str, str], devices: int) -> None:
    recipe = written(tmp_path, "job.yaml", "base_model: gpt2\n" + text)
    told(recipe, **flags)
    assert recipe.devices == devices and not recipe.unknown


@pytest.mark.parametrize(
    ("text", "loss"),
    [
        ("plugins: [axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin]\n", "fused"),
        ("plugins: [x.CutCrossEntropyPlugin]\ncut_cross_entropy: false\n", None),
        ("plugins: [axolotl.integrations.liger.LigerPlugin]\n", None),  # it needs a key for each kernel
        ("plugins: [x.LigerPlugin]\nliger_fused_linear_cross_entropy: true\n", "fused"),
    ],
)
def test_axolotls_plugins_fuse_the_loss(tmp_path: Path, text: str, loss: str | None) -> None:
    assert written(tmp_path, "job.yaml", "base_model: gpt2\n" + text).flags.get("loss") == loss


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("freeze_trainable_layers: 8\n", {"train_only": "8 layers", "frozen": "below"}),
        ("freeze_trainable_layers: -3\n", {"train_only": "3 layers", "frozen": "between"}),
        (
            "freeze_trainable_layers: 8\nuse_llama_pro: true\n",
            {"train_only": "8 layers", "frozen": "between"},
        ),
        ("", {"train_only": "2 layers"}),
        ("use_muon: true\n", {"optimizer": "muon"}),
    ],
)
def test_llamafactorys_frozen_layers_and_muon(tmp_path: Path, text: str, flags: Mapping[str, str]) -> None:
    recipe = written(
        tmp_path, "job.yaml", f"model_name_or_path: gpt2\nstage: sft\nfinetuning_type: freeze\n{text}"
    )
    told(recipe, **flags)
    assert not recipe.unmodelled and not recipe.aside


def test_textual_inversion_trains_embeddings(tmp_path: Path) -> None:
    """The scripts give the token embeddings of the text encoder to the optimizer, and nothing else."""
    line = "accelerate launch textual_inversion.py --pretrained_model_name_or_path={} --train_batch_size=1"
    for name, width in (("runwayml/stable-diffusion-v1-5", 768), ("stabilityai/stable-diffusion-2-1", 1024)):
        recipe = written(tmp_path, "run.sh", line.format(name))
        told(recipe, train_only=str(49_408 * width), frozen="between", micro_batch="1")


def test_prior_preservation_doubles_a_pass(tmp_path: Path) -> None:
    line = "python train_dreambooth.py --pretrained_model_name_or_path=x --train_batch_size=2"
    told(written(tmp_path, "run.sh", line), micro_batch="2")
    doubled = written(tmp_path, "run.sh", f"{line} --with_prior_preservation")
    told(doubled, micro_batch="4")
    assert "with_prior_preservation" not in doubled.aside


def test_training_arguments_alone() -> None:
    recipe = read_recipe(HERE / "training_args.json")
    told(
        recipe, micro_batch="16", accumulate="2", epochs="3", optimizer="adafactor", sharding="zero2",
        recompute="full", compiled=True, precision="bf16_mixed",
    )  # fmt: skip
    assert "model" not in recipe.flags
    assert not recipe.unknown


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("model_name_or_path: gpt2\nstage: sft\n", "own"),
        ("model_name_or_path: gpt2\nstage: sft\npacking: true\n", "packed"),
        ("model_name_or_path: gpt2\nstage: sft\nneat_packing: true\n", "packed"),
        ("model_name_or_path: gpt2\nstage: pt\n", "packed"),
        ("model_name_or_path: gpt2\nstage: pt\npacking: false\n", "own"),
        ("base_model: gpt2\nsample_packing: true\npad_to_sequence_len: true\n", "packed"),
        ("base_model: gpt2\npad_to_sequence_len: true\n", "padded"),
        ("base_model: gpt2\n", "own"),
        ("base_model: gpt2\npretraining_dataset: a\n", "packed"),
        ("model_name_or_path: gpt2\nmax_length: 512\n", "own"),
        ("model_name_or_path: gpt2\nmax_length: 512\npacking: true\n", "packed"),
    ],
)
def test_rows_as_the_trainer_makes_samples_of_them(tmp_path: Path, text: str, rows: str) -> None:
    recipe = written(tmp_path, "job.yaml", text)
    told(recipe, rows=rows)
    assert not recipe.unknown and not recipe.unmodelled


def test_a_command_names_the_file(tmp_path: Path) -> None:
    """A launcher's line with a YAML: what stands on the line goes before the file."""
    (tmp_path / "x.yaml").write_text((HERE / "axolotl_full_liger.yaml").read_text("utf-8"), "utf-8")
    recipe = written(tmp_path, "run.sh", "torchrun --nproc_per_node 4 --nnodes=2 -m axolotl.cli.train x.yaml")
    told(recipe, method="full", seq_len="8192")
    assert recipe.devices == 8
    factory = "FORCE_TORCHRUN=1 llamafactory-cli train y.yaml cutoff_len=512\n"
    (tmp_path / "y.yaml").write_text((HERE / "llamafactory_lora_sft.yaml").read_text("utf-8"), "utf-8")
    told(written(tmp_path, "run2.sh", factory), seq_len="512", lora_rank="16")


def test_variables_that_nobody_sets_are_told(tmp_path: Path) -> None:
    recipe = written(tmp_path, "run.sh", "trl sft --model_name_or_path $WHERE/net --output_dir ${O:-out}\n")
    assert any("$WHERE" in note for note in recipe.notes)
    assert recipe.flags["model"] == "$WHERE/net"


def test_nothing_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    written(
        tmp_path, "run.sh", f"touch {mark}; x=$(touch {mark})\ntrl sft --model_name_or_path `touch {mark}`\n"
    )
    assert not mark.exists()


@pytest.mark.parametrize(
    ("zero", "flags"),
    [
        ({"stage": 1}, {"sharding": "zero1", "offload": "none"}),
        ({"stage": 2, "offload_optimizer": {"device": "cpu"}}, {"sharding": "zero2", "offload": "optimizer"}),
        ({"stage": 3, "offload_param": {"device": "nvme"}}, {"sharding": "fsdp", "offload": "params"}),
        ({"stage": 3, "offload_param": {"device": "none"}}, {"sharding": "fsdp", "offload": "none"}),
        ({}, {"sharding": "none", "offload": "none"}),
    ],
)
def test_deepspeed(tmp_path: Path, zero: Mapping[str, object], flags: Mapping[str, str]) -> None:
    (tmp_path / "ds.json").write_text(
        json.dumps({"zero_optimization": zero, "bf16": {"enabled": True}}), "utf-8"
    )
    recipe = written(
        tmp_path, "x.yaml", "model_name_or_path: gpt2\nstage: sft\ndeepspeed: ds.json\nbf16: true\n"
    )
    assert {k: v for k, v in recipe.flags.items() if k in ("sharding", "offload")} == flags


@pytest.mark.parametrize(
    ("text", "told_as"),
    [
        ("model_name_or_path: gpt2\nstage: ppo\n", "stage = 'ppo'"),
        ("base_model: gpt2\nrl: grpo\n", "rl = 'grpo'"),
        ("model_name_or_path: gpt2\nstage: sft\ncutoff_len: many\n", "cutoff_len = 'many': is no number"),
        ("model_name_or_path: gpt2\nstage: sft\nfinetuning_type: 7\n", "finetuning_type"),
        ("model_name_or_path: gpt2\nstage: sft\nbf16: perhaps\n", "neither true nor false"),
        ("distributed_type: FSDP\nnum_processes: 8\n", "accelerate's configuration, no recipe"),
        ("zero_optimization: {stage: 3}\n", "DeepSpeed's configuration, no recipe"),
        ("- a\n- b\n", "holds no keys and values"),
        ("a: [1\n", "not valid YAML"),
        ("hello: world\n", "of no trainer that is known"),
        ("  \n", "is empty"),
    ],
)
def test_what_cannot_be_read_names_file_and_key(tmp_path: Path, text: str, told_as: str) -> None:
    with pytest.raises(DataError) as raised:
        written(tmp_path, "job.yaml", text)
    assert "job.yaml" in raised.value.message
    assert told_as in raised.value.message
    assert raised.value.hint


def test_rollouts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="grpo"):
        written(tmp_path, "run.sh", "trl grpo --model_name_or_path gpt2\n")


def test_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        read_recipe(tmp_path / "none.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not UTF-8"):
        read_recipe(tmp_path / "b.yaml")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    (
        "base_model", "model_name_or_path", "pretrained_model_name_or_path", "stage", "finetuning_type", "rl",
        "cutoff_len", "adapter", "fsdp", "fsdp_config", "deepspeed", "datasets", "dataset", "lora_target",
        "lora_r", "lora_target_modules", "bf16", "optim", "optimizer", "gradient_checkpointing", "max_steps",
        "per_device_train_batch_size", "micro_batch_size", "rank", "resolution", "attention", "max_length",
        "quantization_bit", "load_in_4bit", "sequence_len", "num_epochs", "mixed_precision",
    )
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(values=st.dictionaries(KEYS, VALUES, max_size=8))
def test_any_values_give_flags_or_one_error(tmp_path: Path, values: Mapping[str, object]) -> None:
    path = tmp_path / "any.json"
    path.write_text(json.dumps(values), "utf-8")
    try:
        recipe = read_recipe(path)
    except UserError as error:
        assert "any.json" in error.message
        assert len(error.message) < 500
        return
    assert all(isinstance(value, (str, bool)) for value in recipe.flags.values())
    seen = {*recipe.aside, *recipe.unknown} | {text.split(":")[0] for text in recipe.unmodelled}
    assert seen <= set(values)


def test_axolotl_adapts_every_linear_layer_where_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    text = "base_model: meta-llama/Meta-Llama-3-8B\nadapter: lora\nlora_target_modules: [q_proj, v_proj]\n"
    path.write_text(text)
    assert read_recipe(path).flags["lora_targets"] == "attention"
    path.write_text(text + "lora_target_linear: true\n")
    found = read_recipe(path)
    assert found.flags["lora_targets"] == "all"
    assert found.said["lora_targets"] == "lora_target_linear: True"
    assert "lora_target_linear" not in (*found.aside, *found.unknown)


@pytest.mark.parametrize("size", ["0.5B", "1.5B", "7B", "72B"])
def test_qwen2_is_of_the_shape_of_its_successor(size: str) -> None:
    from advisor.model import preset_of

    assert preset_of(f"Qwen/Qwen2-{size}").preset == f"qwen2.5-{size.lower()}"
    assert preset_of(f"Qwen/Qwen2-{size}-Instruct").preset == f"qwen2.5-{size.lower()}"
