# ruff: noqa: SIM905 - a list of keys reads better as words
"""Checked access to the values of a config.json; errors name file, key and value."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from advisor.data.files import read_text
from advisor.errors import DataError, did_you_mean

MAX_BYTES = 1024 * 1024  # the largest on the hub (label lists of image classifiers) are about 100 kB

# Beyond any network there is; what is larger is a mistake, and would only give absurd estimates.
MAX_LAYERS = 10_000
MAX_WIDTH = 10_000_000
MAX_HEADS = 100_000
MAX_EXPERTS = 100_000
MAX_VOCAB = 100_000_000

Numbers = dict[str, float]
Reader = Callable[["Config"], Numbers]

# Fields that say nothing about size or work.
_HARMLESS = frozenset(
    """
    architectures model_type transformers_version torch_dtype dtype initializer_range
    initializer_factor layer_norm_eps layer_norm_epsilon layernorm_epsilon rms_norm_eps norm_eps
    norm_epsilon eps hidden_act hidden_activation activation activation_function use_cache
    cache_implementation pad_token_id bos_token_id eos_token_id decoder_start_token_id
    forced_eos_token_id sep_token_id forced_bos_token_id mask_token_id cls_token_id unk_token_id
    begin_suppress_tokens suppress_tokens rope_theta rope_scaling rope_parameters rope_interleave
    partial_rotary_factor rotary_pct rotary_emb_base rotary_dim rotary rope_local_base_freq
    global_rope_theta local_rope_theta max_position_embeddings n_ctx attention_dropout
    hidden_dropout attention_probs_dropout_prob hidden_dropout_prob resid_pdrop embd_pdrop
    attn_pdrop dropout dropout_rate summary_type summary_use_proj summary_activation
    summary_first_dropout summary_proj_to_labels classifier_dropout resid_dropout
    attention_probs_dropout activation_dropout layerdrop encoder_layerdrop embd_dropout
    decoder_layerdrop classif_dropout qa_dropout seq_classif_dropout drop_path_rate id2label
    label2id task_specific_params finetuning_task gradient_checkpointing output_attentions
    output_past output_hidden_states return_dict is_encoder_decoder is_decoder add_cross_attention
    tokenizer_class chunk_size_feed_forward attn_implementation _attn_implementation _name_or_path
    name_or_path pretraining_tp auto_map problem_type scale_attn_weights
    scale_attn_by_inverse_layer_idx reorder_and_upcast_attn output_router_logits
    router_aux_loss_coef router_jitter_noise norm_topk_prob scoring_func topk_method topk_group
    n_group routed_scaling_factor aux_loss_alpha seq_aux ep_size attn_logit_softcapping
    final_logit_softcapping query_pre_attn_scalar apply_residual_connection_post_layernorm
    slow_but_exact masked_softmax_fusion skip_bias_add skip_bias_add_qkv unk_index
    sinusoidal_pos_embds encoder_no_repeat_ngram_size early_stopping num_beams no_repeat_ngram_size
    length_penalty min_length max_length normalize_before normalize_embedding scale_embedding
    interpolate_pos_encoding out_features out_indices stage_names num_labels swiglu_limit
    initial_context_length embedding_dropout sparse_prediction sparse_pred_ignore_index
    repad_logits_with_grad deterministic_flash_attn decoder_bias classifier_activation
    classifier_pooling classifier_bias mlp_dropout embedding_multiplier residual_multiplier
    attention_multiplier logits_scaling logit_scale clip_qkv use_bfloat16 prefix
    add_final_layer_norm static_position_embeddings gradient_checkpoint rope_type qk_head_dim
    torchscript pruned_heads tie_encoder_decoder cross_attention_hidden_size bad_words_ids temperature
    top_p typical_p do_sample diversity_penalty repetition_penalty num_beam_groups return_dict_in_generate
    num_return_sequences output_scores remove_invalid_values tf_legacy_loss sep_token
    exponential_decay_length_penalty
    long_factor short_factor original_max_position_embeddings bidirectional
    """.split()
)


class Config:
    """A config.json's top level. What is read is remembered, so that the rest can be told."""

    def __init__(self, path: Path, raw: Mapping[str, Any]) -> None:
        self.path = path
        self._raw = raw
        self._read: set[str] = set()

    def _get(self, key: str) -> Any:
        self._read.add(key)
        return self._raw.get(key)

    def has(self, key: str) -> bool:
        """Whether the file has the key, be it as null."""
        self._read.add(key)
        return key in self._raw

    def fail(self, key: str, problem: str, hint: str = "") -> NoReturn:
        """The error that names file, key and value."""
        raise DataError.at(self.path, key, self._raw.get(key), problem, hint)

    def whole(self, *keys: str, default: float | None = None, low: int = 1, high: int = MAX_WIDTH) -> float:
        """A whole number under the first of `keys` that is there; null counts as not there."""
        for key in keys:
            value = self._get(key)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
                self.fail(key, "is no whole number")
            if not low <= value <= high:
                self.fail(key, f"is not between {low} and {high}")
            return float(value)
        if default is None:
            near = did_you_mean(keys[0], [key for key in self._raw if key not in _HARMLESS])
            raise DataError.at(self.path, keys[0], None, "is missing", near)
        return float(default)

    def layers(self, *keys: str, default: float | None = None, low: int = 1) -> float:
        """A number of layers."""
        return self.whole(*keys, default=default, low=low, high=MAX_LAYERS)

    def flag(self, key: str, default: bool) -> float:
        """true or false as 1 or 0."""
        value = self._get(key)
        if value is None:
            return float(default)
        if not isinstance(value, bool):
            self.fail(key, "is neither true nor false")
        return float(value)

    def word(self, key: str, default: str, known: Sequence[str]) -> str:
        """One of the known words."""
        value = self._get(key)
        if value is None:
            return default
        if not isinstance(value, str) or value not in known:
            self.fail(key, f"is none of {', '.join(known)}", did_you_mean(str(value)[:80], known))
        return value

    def text(self, key: str, default: str) -> str:
        """A text."""
        value = self._get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            self.fail(key, "is no text")
        return value

    def wholes(
        self, key: str, default: Sequence[int], *, count: int | None = None, low: int = 1
    ) -> list[int]:
        """A list of whole numbers."""
        value = self._get(key)
        if value is None:
            return list(default)
        if (
            not isinstance(value, list)
            or (count is not None and len(value) != count)
            or len(value) > MAX_LAYERS
        ):
            self.fail(key, f"is no list of {count or 'whole'} numbers")
        for item in value:
            if isinstance(item, bool) or not isinstance(item, int) or not low <= item <= MAX_WIDTH:
                self.fail(key, f"holds something that is no whole number from {low} up")
        return list(value)

    def words(self, key: str, known: Sequence[str], count: float) -> list[str] | None:
        """A list of `count` known words, None when it is not there."""
        value = self._get(key)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) != count:
            self.fail(key, f"is no list of {count:g} words")
        for item in value:
            if item not in known:
                self.fail(
                    key, f"holds {str(item)[:40]!r}; only {' and '.join(known)} are covered by the rules"
                )
        return [str(item) for item in value]

    def entries(self, key: str) -> int:
        """How many entries a table has; 0 when it is not there."""
        value = self._get(key)
        if value is None:
            return 0
        if not isinstance(value, dict):
            self.fail(key, "is no table")
        return len(value)

    def inner(self, key: str) -> Config:
        """A table within, empty when it is not there; its keys are not told as unused."""
        value = self._get(key)
        if value is None:
            return Config(self.path, {})
        if not isinstance(value, dict):
            self.fail(key, "is no table")
        return Config(self.path, value)

    def must_be(self, key: str, wanted: object, default: object) -> None:
        """A variant of the architecture that the rules do not cover is refused, never misread."""
        value = self._get(key)
        if (default if value is None else value) != wanted:
            self.fail(key, f"only {wanted!r} is covered by the rules")

    def unused(self) -> list[str]:
        """Keys that were not read and may matter."""
        return sorted(key for key in self._raw if key not in self._read and key not in _HARMLESS)

    def architecture(self) -> str:
        """The first of `architectures`."""
        listed = self._get("architectures")
        if listed is None:
            kind = self._raw.get("model_type")
            hint = (
                "A config.json of the transformers library has it, a text such as LlamaForCausalLM in a list."
            )
            raise DataError.at(
                self.path,
                "architectures",
                None,
                "is missing" + (f" (model_type {kind!r:.60})" if kind else ""),
                hint,
            )
        if not isinstance(listed, list) or not listed or not isinstance(listed[0], str):
            self.fail("architectures", "is no list of texts")
        return listed[0]


def load(path: Path) -> dict[str, Any]:
    """A JSON file's object. Raises UserError or DataError for anything else."""
    text = read_text(path, limit_bytes=MAX_BYTES).removeprefix("\ufeff")  # as some editors begin a file

    def constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is no JSON")

    try:
        raw = json.loads(text, parse_constant=constant)
    except RecursionError as error:
        raise DataError.at(path, "", None, "is nested too deeply") from error
    except ValueError as error:  # JSONDecodeError, and integers of thousands of digits
        raise DataError.at(path, "", None, f"is not valid JSON: {str(error)[:120]}") from error
    if not isinstance(raw, dict):
        raise DataError.at(path, "", None, "holds no JSON object", "A config.json starts with {.")
    return raw
