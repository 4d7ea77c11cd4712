# ruff: noqa: E501, PLR0913, PLR0917 - one network a line: a table is read down its columns
"""Configurations of well-known networks, as their config.json on the hub has them.

(id, title, architecture, fields of the config, other names, source). tools/check_param_counts.py builds the real
module from each and holds the shipped presets to it.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Known(NamedTuple):
    """One network."""

    id: str
    title: str
    architecture: str
    fields: dict[str, Any]
    aliases: tuple[str, ...]
    source: str


FIELDS = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
)


def _like(shape: tuple[int, ...], **more: Any) -> dict[str, Any]:
    return {**dict(zip(FIELDS, shape, strict=True)), **more}


def _bert(hidden: int, layers: int, vocab: int, **more: Any) -> dict[str, Any]:
    shape = (hidden, 4 * hidden, layers, hidden // 64)
    return {
        **dict(zip(FIELDS[:4], shape, strict=True)),
        "vocab_size": vocab,
        "max_position_embeddings": 512,
        **more,
    }


def _neox(hidden: int, layers: int, heads: int, vocab: int) -> dict[str, Any]:
    shape = (hidden, 4 * hidden, layers, heads)
    return {**dict(zip(FIELDS[:4], shape, strict=True)), "vocab_size": vocab, "tie_word_embeddings": False}


def _opt(hidden: int, layers: int, heads: int) -> dict[str, Any]:
    return {
        "hidden_size": hidden, "ffn_dim": 4 * hidden, "num_hidden_layers": layers, "num_attention_heads": heads,
        "word_embed_proj_dim": hidden, "vocab_size": 50272, "max_position_embeddings": 2048,
    }  # fmt: skip


def _gpt3(hidden: int, layers: int, heads: int) -> dict[str, Any]:
    return {"n_embd": hidden, "n_layer": layers, "n_head": heads, "n_positions": 2048, "vocab_size": 50257}


def _t5(
    width: int, ffn: int, layers: int, heads: int, head: int = 64, gated: bool = False, vocab: int = 32128
) -> dict[str, Any]:
    more = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False} if gated else {}
    return {
        "d_model": width, "d_ff": ffn, "num_layers": layers, "num_decoder_layers": layers, "num_heads": heads,
        "d_kv": head, "vocab_size": vocab, **more,
    }  # fmt: skip


def _vit(hidden: int, layers: int, heads: int, patch: int, image: int = 224, **more: Any) -> dict[str, Any]:
    shape = (hidden, 4 * hidden, layers, heads)
    return {**dict(zip(FIELDS[:4], shape, strict=True)), "patch_size": patch, "image_size": image, **more}


def _moe(kind: str, experts: int, chosen: int, inner: int, **more: Any) -> dict[str, Any]:
    return {kind: experts, "num_experts_per_tok": chosen, "moe_intermediate_size": inner, **more}


def _latent(
    experts: int, chosen: int, shared: int, inner: int, dense: int, q_rank: int | None
) -> dict[str, Any]:
    return {
        **_moe("n_routed_experts", experts, chosen, inner), "n_shared_experts": shared, "first_k_dense_replace": dense,
        "q_lora_rank": q_rank, "kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128,
        "tie_word_embeddings": False,
    }  # fmt: skip


HUB = "huggingface.co config.json of the same id"
_LLAMA, _MISTRAL, _QWEN2, _QWEN3 = (
    "LlamaForCausalLM",
    "MistralForCausalLM",
    "Qwen2ForCausalLM",
    "Qwen3ForCausalLM",
)
_Q3 = {"head_dim": 128, "tie_word_embeddings": False}
_Q3T = {"head_dim": 128, "tie_word_embeddings": True}
_TIED, _UNTIED = {"tie_word_embeddings": True}, {"tie_word_embeddings": False}
_NEMO = {"head_dim": 128, "sliding_window": None}

_DECODERS: list[tuple[str, str, str, dict[str, Any], str, str]] = [
    ("gpt2-124m", "GPT-2 124M", "GPT2LMHeadModel", {"n_embd": 768, "n_layer": 12, "n_head": 12}, "gpt2 gpt2-small openai-community/gpt2", "github:openai/gpt-2 src/model.py"),
    ("distilgpt2", "DistilGPT-2", "GPT2LMHeadModel", {"n_embd": 768, "n_layer": 6, "n_head": 12}, "distilbert/distilgpt2", ""),
    ("llama-2-7b", "Llama 2 7B", _LLAMA, _like((4096, 11008, 32, 32, 32, 32000)), "meta-llama/Llama-2-7b-hf", "arXiv:2307.09288"),
    ("llama-30b", "LLaMA 33B", _LLAMA, _like((6656, 17920, 60, 52, 52, 32000)), "huggyllama/llama-30b", "arXiv:2302.13971 table 2"),
    ("llama-65b", "LLaMA 65B", _LLAMA, _like((8192, 22016, 80, 64, 64, 32000)), "huggyllama/llama-65b", "arXiv:2302.13971 table 2"),
    ("llama-3.1-405b", "Llama 3.1 405B", _LLAMA, _like((16384, 53248, 126, 128, 8, 128256)), "meta-llama/Llama-3.1-405B llama-3-405b", "arXiv:2407.21783 table 3"),
    ("codellama-34b", "Code Llama 34B", _LLAMA, _like((8192, 22016, 48, 64, 8, 32000)), "codellama/CodeLlama-34b-hf", "arXiv:2308.12950"),
    ("yi-6b", "Yi 6B", _LLAMA, _like((4096, 11008, 32, 32, 4, 64000)), "01-ai/Yi-6B", "arXiv:2403.04652"),
    ("yi-34b", "Yi 34B", _LLAMA, _like((7168, 20480, 60, 56, 8, 64000)), "01-ai/Yi-34B", "arXiv:2403.04652"),
    ("deepseek-llm-7b", "DeepSeek LLM 7B", _LLAMA, _like((4096, 11008, 30, 32, 32, 102400)), "deepseek-ai/deepseek-llm-7b-base", "arXiv:2401.02954 table 2"),
    ("deepseek-llm-67b", "DeepSeek LLM 67B", _LLAMA, _like((8192, 22016, 95, 64, 8, 102400)), "deepseek-ai/deepseek-llm-67b-base", "arXiv:2401.02954 table 2"),
    ("smollm2-135m", "SmolLM2 135M", _LLAMA, _like((576, 1536, 30, 9, 3, 49152), **_TIED), "HuggingFaceTB/SmolLM2-135M", "arXiv:2502.02737"),
    ("smollm2-360m", "SmolLM2 360M", _LLAMA, _like((960, 2560, 32, 15, 5, 49152), **_TIED), "HuggingFaceTB/SmolLM2-360M", "arXiv:2502.02737"),
    ("smollm2-1.7b", "SmolLM2 1.7B", _LLAMA, _like((2048, 8192, 24, 32, 32, 49152), **_TIED), "HuggingFaceTB/SmolLM2-1.7B", "arXiv:2502.02737"),
    ("smollm3-3b", "SmolLM3 3B", "SmolLM3ForCausalLM", _like((2048, 11008, 36, 16, 4, 128256), **_TIED), "HuggingFaceTB/SmolLM3-3B", ""),
    ("mistral-7b", "Mistral 7B", _MISTRAL, _like((4096, 14336, 32, 32, 8, 32000), sliding_window=4096), "mistralai/Mistral-7B-v0.1", "arXiv:2310.06825"),
    ("mistral-7b-v0.3", "Mistral 7B v0.3", _MISTRAL, _like((4096, 14336, 32, 32, 8, 32768), sliding_window=None), "mistralai/Mistral-7B-v0.3", ""),
    ("mistral-nemo-12b", "Mistral NeMo 12B", _MISTRAL, _like((5120, 14336, 40, 32, 8, 131072), **_NEMO), "mistralai/Mistral-Nemo-Base-2407", ""),
    ("mistral-small-24b", "Mistral Small 24B", _MISTRAL, _like((5120, 32768, 40, 32, 8, 131072), **_NEMO), "mistralai/Mistral-Small-24B-Base-2501", ""),
    ("mistral-large-123b", "Mistral Large 2", _MISTRAL, _like((12288, 28672, 88, 96, 8, 32768), **_NEMO), "mistralai/Mistral-Large-Instruct-2407", ""),
    ("qwen2.5-0.5b", "Qwen2.5 0.5B", _QWEN2, _like((896, 4864, 24, 14, 2, 151936), **_TIED), "Qwen/Qwen2.5-0.5B", "arXiv:2412.15115"),
    ("qwen2.5-1.5b", "Qwen2.5 1.5B", _QWEN2, _like((1536, 8960, 28, 12, 2, 151936), **_TIED), "Qwen/Qwen2.5-1.5B", "arXiv:2412.15115"),
    ("qwen2.5-3b", "Qwen2.5 3B", _QWEN2, _like((2048, 11008, 36, 16, 2, 151936), **_TIED), "Qwen/Qwen2.5-3B", "arXiv:2412.15115"),
    ("qwen2.5-14b", "Qwen2.5 14B", _QWEN2, _like((5120, 13824, 48, 40, 8, 152064), **_UNTIED), "Qwen/Qwen2.5-14B", "arXiv:2412.15115"),
    ("qwen2.5-32b", "Qwen2.5 32B", _QWEN2, _like((5120, 27648, 64, 40, 8, 152064), **_UNTIED), "Qwen/Qwen2.5-32B", "arXiv:2412.15115"),
    ("qwen3-0.6b", "Qwen3 0.6B", _QWEN3, _like((1024, 3072, 28, 16, 8, 151936), **_Q3T), "Qwen/Qwen3-0.6B", "arXiv:2505.09388 table 1"),
    ("qwen3-1.7b", "Qwen3 1.7B", _QWEN3, _like((2048, 6144, 28, 16, 8, 151936), **_Q3T), "Qwen/Qwen3-1.7B", "arXiv:2505.09388 table 1"),
    ("qwen3-4b", "Qwen3 4B", _QWEN3, _like((2560, 9728, 36, 32, 8, 151936), **_Q3T), "Qwen/Qwen3-4B", "arXiv:2505.09388 table 1"),
    ("qwen3-8b", "Qwen3 8B", _QWEN3, _like((4096, 12288, 36, 32, 8, 151936), **_Q3), "Qwen/Qwen3-8B", "arXiv:2505.09388 table 1"),
    ("qwen3-14b", "Qwen3 14B", _QWEN3, _like((5120, 17408, 40, 40, 8, 151936), **_Q3), "Qwen/Qwen3-14B", "arXiv:2505.09388 table 1"),
    ("qwen3-32b", "Qwen3 32B", _QWEN3, _like((5120, 25600, 64, 64, 8, 151936), **_Q3), "Qwen/Qwen3-32B", "arXiv:2505.09388 table 1"),
    ("gemma-2b", "Gemma 2B", "GemmaForCausalLM", _like((2048, 16384, 18, 8, 1, 256000), head_dim=256), "google/gemma-2b", "arXiv:2403.08295 table 1"),
    ("gemma-7b", "Gemma 7B", "GemmaForCausalLM", _like((3072, 24576, 28, 16, 16, 256000), head_dim=256), "google/gemma-7b", "arXiv:2403.08295 table 1"),
    ("gemma-2-2b", "Gemma 2 2B", "Gemma2ForCausalLM", _like((2304, 9216, 26, 8, 4, 256000), head_dim=256), "google/gemma-2-2b", "arXiv:2408.00118 table 1"),
    ("gemma-2-9b", "Gemma 2 9B", "Gemma2ForCausalLM", _like((3584, 14336, 42, 16, 8, 256000), head_dim=256), "google/gemma-2-9b", "arXiv:2408.00118 table 1"),
    ("gemma-2-27b", "Gemma 2 27B", "Gemma2ForCausalLM", _like((4608, 36864, 46, 32, 16, 256000), head_dim=128), "google/gemma-2-27b", "arXiv:2408.00118 table 1"),
    ("gemma-3-270m", "Gemma 3 270M", "Gemma3ForCausalLM", _like((640, 2048, 18, 4, 1, 262144), head_dim=256, sliding_window=512), "google/gemma-3-270m", ""),
    ("gemma-3-1b", "Gemma 3 1B", "Gemma3ForCausalLM", _like((1152, 6912, 26, 4, 1, 262144), head_dim=256, sliding_window=512), "google/gemma-3-1b-pt", "arXiv:2503.19786"),
    ("phi-1.5", "Phi-1.5", "PhiForCausalLM", _like((2048, 8192, 24, 32, 32, 51200)), "microsoft/phi-1_5", "arXiv:2309.05463"),
    ("phi-2", "Phi-2", "PhiForCausalLM", _like((2560, 10240, 32, 32, 32, 51200)), "microsoft/phi-2", ""),
    ("phi-3-mini", "Phi-3 mini 3.8B", "Phi3ForCausalLM", _like((3072, 8192, 32, 32, 32, 32064), sliding_window=2047), "microsoft/Phi-3-mini-4k-instruct", "arXiv:2404.14219"),
    ("phi-3-medium", "Phi-3 medium 14B", "Phi3ForCausalLM", _like((5120, 17920, 40, 40, 10, 32064), sliding_window=2047), "microsoft/Phi-3-medium-4k-instruct", "arXiv:2404.14219"),
    ("phi-4", "Phi-4 14B", "Phi3ForCausalLM", _like((5120, 17920, 40, 40, 10, 100352), sliding_window=None), "microsoft/phi-4", "arXiv:2412.08905"),
    ("gpt-j-6b", "GPT-J 6B", "GPTJForCausalLM", {"n_embd": 4096, "n_layer": 28, "n_head": 16, "vocab_size": 50400}, "EleutherAI/gpt-j-6b", "github:kingoflolz/mesh-transformer-jax"),
    ("gpt-neox-20b", "GPT-NeoX 20B", "GPTNeoXForCausalLM", _neox(6144, 44, 64, 50432), "EleutherAI/gpt-neox-20b", "arXiv:2204.06745"),
    ("pythia-70m", "Pythia 70M", "GPTNeoXForCausalLM", _neox(512, 6, 8, 50304), "EleutherAI/pythia-70m", "arXiv:2304.01373 table 1"),
    ("pythia-160m", "Pythia 160M", "GPTNeoXForCausalLM", _neox(768, 12, 12, 50304), "EleutherAI/pythia-160m", "arXiv:2304.01373 table 1"),
    ("pythia-410m", "Pythia 410M", "GPTNeoXForCausalLM", _neox(1024, 24, 16, 50304), "EleutherAI/pythia-410m", "arXiv:2304.01373 table 1"),
    ("pythia-1b", "Pythia 1B", "GPTNeoXForCausalLM", _neox(2048, 16, 8, 50304), "EleutherAI/pythia-1b", "arXiv:2304.01373 table 1"),
    ("pythia-1.4b", "Pythia 1.4B", "GPTNeoXForCausalLM", _neox(2048, 24, 16, 50304), "EleutherAI/pythia-1.4b", "arXiv:2304.01373 table 1"),
    ("pythia-2.8b", "Pythia 2.8B", "GPTNeoXForCausalLM", _neox(2560, 32, 32, 50304), "EleutherAI/pythia-2.8b", "arXiv:2304.01373 table 1"),
    ("pythia-6.9b", "Pythia 6.9B", "GPTNeoXForCausalLM", _neox(4096, 32, 32, 50432), "EleutherAI/pythia-6.9b", "arXiv:2304.01373 table 1"),
    ("pythia-12b", "Pythia 12B", "GPTNeoXForCausalLM", _neox(5120, 36, 40, 50688), "EleutherAI/pythia-12b", "arXiv:2304.01373 table 1"),
    ("falcon-7b", "Falcon 7B", "FalconForCausalLM", {"hidden_size": 4544, "num_hidden_layers": 32, "num_attention_heads": 71, "vocab_size": 65024}, "tiiuae/falcon-7b", "arXiv:2311.16867"),
    ("falcon-40b", "Falcon 40B", "FalconForCausalLM", {"hidden_size": 8192, "num_hidden_layers": 60, "num_attention_heads": 128, "num_kv_heads": 8, "new_decoder_architecture": True, "vocab_size": 65024}, "tiiuae/falcon-40b", "arXiv:2311.16867"),
    ("opt-125m", "OPT 125M", "OPTForCausalLM", _opt(768, 12, 12), "facebook/opt-125m", "arXiv:2205.01068 table 1"),
    ("opt-1.3b", "OPT 1.3B", "OPTForCausalLM", _opt(2048, 24, 32), "facebook/opt-1.3b", "arXiv:2205.01068 table 1"),
    ("opt-6.7b", "OPT 6.7B", "OPTForCausalLM", _opt(4096, 32, 32), "facebook/opt-6.7b", "arXiv:2205.01068 table 1"),
    ("opt-13b", "OPT 13B", "OPTForCausalLM", _opt(5120, 40, 40), "facebook/opt-13b", "arXiv:2205.01068 table 1"),
    ("opt-30b", "OPT 30B", "OPTForCausalLM", _opt(7168, 48, 56), "facebook/opt-30b", "arXiv:2205.01068 table 1"),
    ("opt-66b", "OPT 66B", "OPTForCausalLM", _opt(9216, 64, 72), "facebook/opt-66b", "arXiv:2205.01068 table 1"),
    ("bloom-560m", "BLOOM 560M", "BloomForCausalLM", {"hidden_size": 1024, "n_layer": 24, "n_head": 16, "vocab_size": 250880}, "bigscience/bloom-560m", "arXiv:2211.05100 table 3"),
    ("bloom-7b1", "BLOOM 7.1B", "BloomForCausalLM", {"hidden_size": 4096, "n_layer": 30, "n_head": 32, "vocab_size": 250880}, "bigscience/bloom-7b1", "arXiv:2211.05100 table 3"),
    ("bloom-176b", "BLOOM 176B", "BloomForCausalLM", {"hidden_size": 14336, "n_layer": 70, "n_head": 112, "vocab_size": 250880}, "bigscience/bloom bloom", "arXiv:2211.05100 table 3"),
    ("stablelm-3b", "StableLM 3B 4E1T", "StableLmForCausalLM", _like((2560, 6912, 32, 32, 32, 50304)), "stabilityai/stablelm-3b-4e1t", ""),
    ("starcoder2-3b", "StarCoder2 3B", "Starcoder2ForCausalLM", _like((3072, 12288, 30, 24, 2, 49152), sliding_window=4096), "bigcode/starcoder2-3b", "arXiv:2402.19173 table 6"),
    ("olmo-7b", "OLMo 7B", "OlmoForCausalLM", _like((4096, 11008, 32, 32, 32, 50304)), "allenai/OLMo-7B-hf", "arXiv:2402.00838 table 1"),
    ("olmo-2-7b", "OLMo 2 7B", "Olmo2ForCausalLM", _like((4096, 11008, 32, 32, 32, 100352)), "allenai/OLMo-2-1124-7B", "arXiv:2501.00656"),
    ("olmo-2-13b", "OLMo 2 13B", "Olmo2ForCausalLM", _like((5120, 13824, 40, 40, 40, 100352)), "allenai/OLMo-2-1124-13B", "arXiv:2501.00656"),
    ("command-r-35b", "Command R 35B", "CohereForCausalLM", _like((8192, 22528, 40, 64, 64, 256000)), "CohereForAI/c4ai-command-r-v01", ""),
    ("mixtral-8x7b", "Mixtral 8x7B", "MixtralForCausalLM", _like((4096, 14336, 32, 32, 8, 32000), num_local_experts=8, num_experts_per_tok=2), "mistralai/Mixtral-8x7B-v0.1", "arXiv:2401.04088 table 1"),
    ("mixtral-8x22b", "Mixtral 8x22B", "MixtralForCausalLM", _like((6144, 16384, 56, 48, 8, 32000), num_local_experts=8, num_experts_per_tok=2), "mistralai/Mixtral-8x22B-v0.1", ""),
    ("qwen1.5-moe-a2.7b", "Qwen1.5 MoE A2.7B", "Qwen2MoeForCausalLM", _like((2048, 5632, 24, 16, 16, 151936), **_moe("num_experts", 60, 4, 1408), shared_expert_intermediate_size=5632), "Qwen/Qwen1.5-MoE-A2.7B", ""),
    ("qwen2-57b-a14b", "Qwen2 57B-A14B", "Qwen2MoeForCausalLM", _like((3584, 18944, 28, 28, 4, 151936), **_moe("num_experts", 64, 8, 2560), shared_expert_intermediate_size=20480), "Qwen/Qwen2-57B-A14B", "arXiv:2407.10671 table 1"),
    ("qwen3-30b-a3b", "Qwen3 30B-A3B", "Qwen3MoeForCausalLM", _like((2048, 6144, 48, 32, 4, 151936), **_Q3, **_moe("num_experts", 128, 8, 768)), "Qwen/Qwen3-30B-A3B", "arXiv:2505.09388 table 2"),
    ("qwen3-235b-a22b", "Qwen3 235B-A22B", "Qwen3MoeForCausalLM", _like((4096, 12288, 94, 64, 4, 151936), **_Q3, **_moe("num_experts", 128, 8, 1536)), "Qwen/Qwen3-235B-A22B", "arXiv:2505.09388 table 2"),
    ("olmoe-1b-7b", "OLMoE 1B-7B", "OlmoeForCausalLM", _like((2048, 1024, 16, 16, 16, 50304), num_experts=64, num_experts_per_tok=8), "allenai/OLMoE-1B-7B-0924", "arXiv:2409.02060"),
    ("gpt-oss-20b", "gpt-oss 20B", "GptOssForCausalLM", _like((2880, 2880, 24, 64, 8, 201088), head_dim=64, num_local_experts=32, num_experts_per_tok=4, tie_word_embeddings=False), "openai/gpt-oss-20b", "arXiv:2508.10925 table 1"),
    ("gpt-oss-120b", "gpt-oss 120B", "GptOssForCausalLM", _like((2880, 2880, 36, 64, 8, 201088), head_dim=64, num_local_experts=128, num_experts_per_tok=4, tie_word_embeddings=False), "openai/gpt-oss-120b", "arXiv:2508.10925 table 1"),
    ("deepseek-v2-lite", "DeepSeek-V2-Lite 16B", "DeepseekV2ForCausalLM", _like((2048, 10944, 27, 16, 16, 102400), **_latent(64, 6, 2, 1408, 1, None)), "deepseek-ai/DeepSeek-V2-Lite", "arXiv:2405.04434 appendix B"),
    ("deepseek-v2", "DeepSeek-V2 236B", "DeepseekV2ForCausalLM", _like((5120, 12288, 60, 128, 128, 102400), **_latent(160, 6, 2, 1536, 1, 1536)), "deepseek-ai/DeepSeek-V2", "arXiv:2405.04434 section 3.1.2"),
    ("deepseek-v3", "DeepSeek-V3 671B", "DeepseekV3ForCausalLM", _like((7168, 18432, 61, 128, 128, 129280), **_latent(256, 8, 1, 2048, 3, 1536)), "deepseek-ai/DeepSeek-V3 deepseek-ai/DeepSeek-R1 deepseek-r1", "arXiv:2412.19437 section 4.2"),
    ("gpt-3-125m", "GPT-3 125M", "GPT2LMHeadModel", _gpt3(768, 12, 12), "gpt3-125m", "arXiv:2005.14165 table 2.1"),
    ("gpt-3-350m", "GPT-3 350M", "GPT2LMHeadModel", _gpt3(1024, 24, 16), "gpt3-350m gpt3-355m", "arXiv:2005.14165 table 2.1"),
    ("gpt-3-760m", "GPT-3 760M", "GPT2LMHeadModel", _gpt3(1536, 24, 16), "gpt3-760m", "arXiv:2005.14165 table 2.1"),
    ("gpt-3-1.3b", "GPT-3 1.3B", "GPT2LMHeadModel", _gpt3(2048, 24, 16), "gpt3-1.3b", "arXiv:2005.14165 table 2.1 (16 heads of 128, as its width says)"),
    ("gpt-3-2.7b", "GPT-3 2.7B", "GPT2LMHeadModel", _gpt3(2560, 32, 32), "gpt3-2.7b", "arXiv:2005.14165 table 2.1"),
    ("gpt-3-5b", "GPT 5B (NeMo)", "GPT2LMHeadModel", _gpt3(4096, 24, 32), "gpt3-5b", "github:NVIDIA/NeMo-Framework-Launcher conf/training/gpt3/5b.yaml"),
    ("gpt-3-6.7b", "GPT-3 6.7B", "GPT2LMHeadModel", _gpt3(4096, 32, 32), "gpt3-6.7b", "arXiv:2005.14165 table 2.1"),
    ("gpt-3-13b", "GPT-3 13B", "GPT2LMHeadModel", _gpt3(5120, 40, 40), "gpt3-13b", "arXiv:2005.14165 table 2.1 (its width of 5,140 is no multiple of 40 heads: 5,120 taken)"),
    ("gpt-3-175b", "GPT-3 175B", "GPT2LMHeadModel", _gpt3(12288, 96, 96), "gpt3-175b gpt-3 gpt3", "arXiv:2005.14165 table 2.1"),
    ("codellama-7b", "Code Llama 7B", _LLAMA, _like((4096, 11008, 32, 32, 32, 32016)), "codellama/CodeLlama-7b-hf", "arXiv:2308.12950"),
    ("codellama-13b", "Code Llama 13B", _LLAMA, _like((5120, 13824, 40, 40, 40, 32016)), "codellama/CodeLlama-13b-hf", "arXiv:2308.12950"),
    ("baichuan-7b", "Baichuan 7B", _LLAMA, _like((4096, 11008, 32, 32, 32, 64000)), "baichuan-inc/Baichuan-7B", ""),
    ("baichuan-13b", "Baichuan 13B", _LLAMA, _like((5120, 13696, 40, 40, 40, 64000)), "baichuan-inc/Baichuan-13B-Base", ""),
    ("baichuan2-7b", "Baichuan 2 7B", _LLAMA, _like((4096, 11008, 32, 32, 32, 125696)), "baichuan-inc/Baichuan2-7B-Base", "arXiv:2309.10305"),
    ("baichuan2-13b", "Baichuan 2 13B", _LLAMA, _like((5120, 13696, 40, 40, 40, 125696)), "baichuan-inc/Baichuan2-13B-Base", "arXiv:2309.10305"),
    ("aquila-7b", "Aquila 7B", _LLAMA, _like((4096, 11008, 32, 32, 32, 100008)), "BAAI/Aquila-7B aquila2-7b BAAI/Aquila2-7B", "arXiv:2408.07410"),
    ("internlm-7b", "InternLM 7B", _LLAMA, _like((4096, 11008, 32, 32, 32, 103168), attention_bias=True, tie_word_embeddings=False), "internlm/internlm-7b", ""),
    ("internlm2-20b", "InternLM2 20B", _LLAMA, _like((6144, 16384, 48, 48, 8, 92544)), "internlm/internlm2-20b", "arXiv:2403.17297"),
    ("minicpm-2b", "MiniCPM 2B", _LLAMA, _like((2304, 5760, 40, 36, 36, 122753), **_TIED), "openbmb/MiniCPM-2B-sft-bf16", "arXiv:2404.06395"),
    ("chatglm3-6b", "ChatGLM3 6B", _QWEN2, _like((4096, 13696, 28, 32, 2, 65024), **_UNTIED), "THUDM/chatglm3-6b THUDM/chatglm2-6b chatglm2-6b glm2_6b glm3_6b", "arXiv:2406.12793 (the shapes of Qwen2's blocks)"),
    ("glm-4-9b", "GLM-4 9B", _QWEN2, _like((4096, 13696, 40, 32, 2, 151552), **_UNTIED), "THUDM/glm-4-9b glm4-9b", "arXiv:2406.12793 (the shapes of Qwen2's blocks)"),
    ("qwen-1.8b", "Qwen 1.8B", _QWEN2, _like((2048, 5504, 24, 16, 16, 151936), **_UNTIED), "Qwen/Qwen-1_8B Qwen/Qwen1.5-1.8B qwen1.5-1.8b", "arXiv:2309.16609 table 1 (the shapes of Qwen2's blocks)"),
    ("qwen-7b", "Qwen 7B", _QWEN2, _like((4096, 11008, 32, 32, 32, 151936), **_UNTIED), "Qwen/Qwen-7B Qwen/Qwen1.5-7B qwen1.5-7b", "arXiv:2309.16609 table 1 (the shapes of Qwen2's blocks)"),
    ("qwen-14b", "Qwen 14B", _QWEN2, _like((5120, 13696, 40, 40, 40, 152064), **_UNTIED), "Qwen/Qwen-14B Qwen/Qwen1.5-14B qwen1.5-14b", "arXiv:2309.16609 table 1 (the shapes of Qwen2's blocks)"),
    ("qwen-72b", "Qwen 72B", _QWEN2, _like((8192, 24576, 80, 64, 64, 152064), **_UNTIED), "Qwen/Qwen-72B Qwen/Qwen1.5-72B qwen1.5-72b", "arXiv:2309.16609 (the shapes of Qwen2's blocks)"),
    ("qwen1.5-0.5b", "Qwen1.5 0.5B", _QWEN2, _like((1024, 2816, 24, 16, 16, 151936), **_TIED), "Qwen/Qwen1.5-0.5B", ""),
    ("qwen1.5-4b", "Qwen1.5 4B", _QWEN2, _like((2560, 6912, 40, 20, 20, 151936), **_UNTIED), "Qwen/Qwen1.5-4B", ""),
    ("qwen1.5-32b", "Qwen1.5 32B", _QWEN2, _like((5120, 27392, 64, 40, 8, 152064), **_UNTIED), "Qwen/Qwen1.5-32B", ""),
    ("stablelm-alpha-3b", "StableLM Alpha 3B", "GPTNeoXForCausalLM", _neox(4096, 16, 32, 50688), "stabilityai/stablelm-base-alpha-3b", ""),
    ("falcon-180b", "Falcon 180B", "FalconForCausalLM", {"hidden_size": 14848, "num_hidden_layers": 80, "num_attention_heads": 232, "num_kv_heads": 8, "new_decoder_architecture": True, "vocab_size": 65024, "tie_word_embeddings": False}, "tiiuae/falcon-180B", "arXiv:2311.16867"),
    ("gemma-3-12b", "Gemma 3 12B (text)", "Gemma3ForCausalLM", _like((3840, 15360, 48, 16, 8, 262208), head_dim=256, sliding_window=1024), "google/gemma-3-12b-pt", "arXiv:2503.19786"),
    ("gemma-3-27b", "Gemma 3 27B (text)", "Gemma3ForCausalLM", _like((5376, 21504, 62, 32, 16, 262208), head_dim=128, sliding_window=1024), "google/gemma-3-27b-pt", "arXiv:2503.19786"),
    ("grok-1", "Grok-1 314B", "MixtralForCausalLM", _like((6144, 32768, 64, 48, 8, 131072), num_local_experts=8, num_experts_per_tok=2, tie_word_embeddings=True), "xai-org/grok-1", "github:xai-org/grok-1 model.py (the shapes of Mixtral's blocks; two more norms a block are not counted)"),
    ("kimi-k2", "Kimi K2 1T", "DeepseekV3ForCausalLM", _like((7168, 18432, 61, 64, 64, 163840), **_latent(384, 8, 1, 2048, 1, 1536)), "moonshotai/Kimi-K2-Base", "arXiv:2507.20534 table 2"),
]  # fmt: skip

_OTHERS: list[tuple[str, str, str, dict[str, Any], str, str]] = [
    ("bert-base", "BERT-base (uncased)", "BertModel", _bert(768, 12, 30522), "bert-base-uncased google-bert/bert-base-uncased", "arXiv:1810.04805"),
    ("bert-base-cased", "BERT-base (cased)", "BertModel", _bert(768, 12, 28996), "google-bert/bert-base-cased", "arXiv:1810.04805"),
    ("bert-base-multilingual", "BERT-base (multilingual, cased)", "BertModel", _bert(768, 12, 119547), "google-bert/bert-base-multilingual-cased bert-base-multilingual-cased", "arXiv:1810.04805"),
    ("roberta-large", "RoBERTa-large", "RobertaModel", _bert(1024, 24, 50265, max_position_embeddings=514, type_vocab_size=1), "FacebookAI/roberta-large", "arXiv:1907.11692"),
    ("xlm-roberta-base", "XLM-RoBERTa-base", "XLMRobertaModel", _bert(768, 12, 250002, max_position_embeddings=514, type_vocab_size=1), "FacebookAI/xlm-roberta-base", "arXiv:1911.02116"),
    ("xlm-roberta-large", "XLM-RoBERTa-large", "XLMRobertaModel", _bert(1024, 24, 250002, max_position_embeddings=514, type_vocab_size=1), "FacebookAI/xlm-roberta-large", "arXiv:1911.02116"),
    ("electra-base", "ELECTRA-base (discriminator)", "ElectraModel", _bert(768, 12, 30522, embedding_size=768), "google/electra-base-discriminator", "arXiv:2003.10555"),
    ("distilbert", "DistilBERT (uncased)", "DistilBertModel", {"dim": 768, "hidden_dim": 3072, "n_layers": 6, "n_heads": 12, "vocab_size": 30522, "max_position_embeddings": 512}, "distilbert-base-uncased distilbert/distilbert-base-uncased", "arXiv:1910.01108"),
    ("modernbert-base", "ModernBERT-base", "ModernBertModel", {"hidden_size": 768, "intermediate_size": 1152, "num_hidden_layers": 22, "num_attention_heads": 12, "vocab_size": 50368}, "answerdotai/ModernBERT-base", "arXiv:2412.13663"),
    ("modernbert-large", "ModernBERT-large", "ModernBertModel", {"hidden_size": 1024, "intermediate_size": 2624, "num_hidden_layers": 28, "num_attention_heads": 16, "vocab_size": 50368}, "answerdotai/ModernBERT-large", "arXiv:2412.13663"),
    ("t5-small", "T5-small", "T5ForConditionalGeneration", _t5(512, 2048, 6, 8), "google-t5/t5-small", "arXiv:1910.10683"),
    ("t5-base", "T5-base", "T5ForConditionalGeneration", _t5(768, 3072, 12, 12), "google-t5/t5-base", "arXiv:1910.10683"),
    ("t5-large", "T5-large", "T5ForConditionalGeneration", _t5(1024, 4096, 24, 16), "google-t5/t5-large", "arXiv:1910.10683"),
    ("t5-3b", "T5-3B", "T5ForConditionalGeneration", _t5(1024, 16384, 24, 32, 128), "google-t5/t5-3b", "arXiv:1910.10683"),
    ("t5-11b", "T5-11B", "T5ForConditionalGeneration", _t5(1024, 65536, 24, 128, 128), "google-t5/t5-11b", "arXiv:1910.10683"),
    ("flan-t5-small", "Flan-T5-small", "T5ForConditionalGeneration", _t5(512, 1024, 8, 6, gated=True), "google/flan-t5-small google/t5-v1_1-small", "arXiv:2210.11416"),
    ("flan-t5-base", "Flan-T5-base", "T5ForConditionalGeneration", _t5(768, 2048, 12, 12, gated=True), "google/flan-t5-base google/t5-v1_1-base", "arXiv:2210.11416"),
    ("flan-t5-large", "Flan-T5-large", "T5ForConditionalGeneration", _t5(1024, 2816, 24, 16, gated=True), "google/flan-t5-large google/t5-v1_1-large", "arXiv:2210.11416"),
    ("flan-t5-xl", "Flan-T5-XL 3B", "T5ForConditionalGeneration", _t5(2048, 5120, 24, 32, gated=True), "google/flan-t5-xl google/t5-v1_1-xl", "arXiv:2210.11416"),
    ("flan-t5-xxl", "Flan-T5-XXL 11B", "T5ForConditionalGeneration", _t5(4096, 10240, 24, 64, gated=True), "google/flan-t5-xxl google/t5-v1_1-xxl", "arXiv:2210.11416"),
    ("bart-base", "BART-base", "BartForConditionalGeneration", {"d_model": 768, "encoder_ffn_dim": 3072, "decoder_ffn_dim": 3072, "encoder_layers": 6, "decoder_layers": 6, "encoder_attention_heads": 12, "decoder_attention_heads": 12, "vocab_size": 50265, "max_position_embeddings": 1024}, "facebook/bart-base", "arXiv:1910.13461"),
    ("bart-large", "BART-large", "BartForConditionalGeneration", {"d_model": 1024, "encoder_ffn_dim": 4096, "decoder_ffn_dim": 4096, "encoder_layers": 12, "decoder_layers": 12, "encoder_attention_heads": 16, "decoder_attention_heads": 16, "vocab_size": 50265, "max_position_embeddings": 1024}, "facebook/bart-large", "arXiv:1910.13461"),
    ("bert-4b", "BERT 4B (NeMo)", "BertModel", _bert(2560, 48, 30592, num_attention_heads=32), "", "github:NVIDIA/NeMo-Framework-Launcher conf/training/bert/4b.yaml"),
    ("mt5-xl", "mT5-XL 3.7B", "MT5ForConditionalGeneration", _t5(2048, 5120, 24, 32, gated=True, vocab=250112), "google/mt5-xl mt5-3b", "arXiv:2010.11934"),
    ("mt5-xxl", "mT5-XXL 13B", "MT5ForConditionalGeneration", _t5(4096, 10240, 24, 64, gated=True, vocab=250112), "google/mt5-xxl bigscience/mt0-xxl mt0-xxl", "arXiv:2010.11934"),
    ("vit-s-32", "ViT-S/32", "ViTForImageClassification", _vit(384, 12, 6, 32), "vit_small_patch32_224", "arXiv:2106.10270 table 2"),
    ("vit-ti-16", "ViT-Ti/16", "ViTForImageClassification", _vit(192, 12, 3, 16), "WinKawaks/vit-tiny-patch16-224 deit-ti-16", "arXiv:2012.12877 table 1"),
    ("vit-s-16", "ViT-S/16", "ViTForImageClassification", _vit(384, 12, 6, 16), "WinKawaks/vit-small-patch16-224 deit-s-16", "arXiv:2012.12877 table 1"),
    ("vit-b-32", "ViT-B/32", "ViTForImageClassification", _vit(768, 12, 12, 32), "", "arXiv:2010.11929 table 1"),
    ("vit-l-32", "ViT-L/32", "ViTForImageClassification", _vit(1024, 24, 16, 32), "", "arXiv:2010.11929 table 1"),
    ("vit-h-14", "ViT-H/14", "ViTForImageClassification", _vit(1280, 32, 16, 14), "", "arXiv:2010.11929 table 1"),
    ("deit-b-16-distilled", "DeiT-B/16 distilled", "DeiTForImageClassificationWithTeacher", _vit(768, 12, 12, 16), "facebook/deit-base-distilled-patch16-224", "arXiv:2012.12877 table 1"),
    ("deit-s-16-distilled", "DeiT-S/16 distilled", "DeiTForImageClassificationWithTeacher", _vit(384, 12, 6, 16), "facebook/deit-small-distilled-patch16-224", "arXiv:2012.12877 table 1"),
    ("clip-vit-b-32-vision", "CLIP ViT-B/32, image tower", "CLIPVisionModelWithProjection", _vit(768, 12, 12, 32, projection_dim=512), "", "arXiv:2103.00020 table 20"),
    ("clip-vit-b-16-vision", "CLIP ViT-B/16, image tower", "CLIPVisionModelWithProjection", _vit(768, 12, 12, 16, projection_dim=512), "", "arXiv:2103.00020 table 20"),
    ("clip-vit-l-14-vision", "CLIP ViT-L/14, image tower", "CLIPVisionModelWithProjection", _vit(1024, 24, 16, 14, projection_dim=768), "", "arXiv:2103.00020 table 20"),
    ("dinov2-s-14", "DINOv2 ViT-S/14", "Dinov2Model", _vit(384, 12, 6, 14, 518, mlp_ratio=4), "facebook/dinov2-small", "arXiv:2304.07193"),
    ("dinov2-b-14", "DINOv2 ViT-B/14", "Dinov2Model", _vit(768, 12, 12, 14, 518, mlp_ratio=4), "facebook/dinov2-base", "arXiv:2304.07193"),
    ("dinov2-l-14", "DINOv2 ViT-L/14", "Dinov2Model", _vit(1024, 24, 16, 14, 518, mlp_ratio=4), "facebook/dinov2-large", "arXiv:2304.07193"),
    ("convnext-t", "ConvNeXt-T", "ConvNextForImageClassification", {"depths": [3, 3, 9, 3], "hidden_sizes": [96, 192, 384, 768]}, "facebook/convnext-tiny-224 convnext-tiny", "arXiv:2201.03545 section 3"),
    ("convnext-s", "ConvNeXt-S", "ConvNextForImageClassification", {"depths": [3, 3, 27, 3], "hidden_sizes": [96, 192, 384, 768]}, "facebook/convnext-small-224 convnext-small", "arXiv:2201.03545 section 3"),
    ("convnext-b", "ConvNeXt-B", "ConvNextForImageClassification", {"depths": [3, 3, 27, 3], "hidden_sizes": [128, 256, 512, 1024]}, "facebook/convnext-base-224 convnext-base", "arXiv:2201.03545 section 3"),
    ("convnext-l", "ConvNeXt-L", "ConvNextForImageClassification", {"depths": [3, 3, 27, 3], "hidden_sizes": [192, 384, 768, 1536]}, "facebook/convnext-large-224 convnext-large", "arXiv:2201.03545 section 3"),
]  # fmt: skip

MODELS = tuple(
    Known(id_, title, architecture, fields, tuple(names.split()), f"{source}; {HUB}" if source else HUB)
    for id_, title, architecture, fields, names, source in (*_DECODERS, *_OTHERS)
)
