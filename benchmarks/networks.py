"""Networks that no step of a calibration is like, as factories, for `calibrated.py`. No benchmark itself.

Modules of transformers and diffusers with random weights, small enough that a step takes one core about a
second, and one torch.nn.LSTM. Each returns (module, example batch); with labels the module returns its loss.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def _text(length: int, vocab: int = 2) -> dict[str, Any]:
    words = torch.randint(0, vocab, (2, length))
    return {"input_ids": words, "labels": words.clone()}


def _pictures(edge: int, classes: int = 2) -> dict[str, Any]:
    return {"pixel_values": torch.randn(2, 3, edge, edge), "labels": torch.randint(0, classes, (2,))}


def gpt_narrow() -> Any:
    """GPT-2 of 4 layers, width 256, 128 tokens, with its dropout."""
    from transformers import GPT2Config, GPT2LMHeadModel

    shape = GPT2Config(n_layer=4, n_embd=256, n_head=4, n_positions=128, vocab_size=8192)
    return GPT2LMHeadModel(shape), _text(128)


def gpt_wide() -> Any:
    """Llama of 3 layers, width 768, 512 tokens."""
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = LlamaConfig(
        num_hidden_layers=3, hidden_size=768, intermediate_size=2048, num_attention_heads=12,
        num_key_value_heads=4, vocab_size=16000, max_position_embeddings=512,
    )  # fmt: skip
    return LlamaForCausalLM(shape), _text(512)


def bert() -> Any:
    """BERT of 4 layers, width 512, 128 tokens, its masked-word loss, with its dropout."""
    from transformers import BertConfig, BertForMaskedLM

    shape = BertConfig(
        num_hidden_layers=4, hidden_size=512, intermediate_size=2048, num_attention_heads=8, vocab_size=8192
    )
    return BertForMaskedLM(shape), _text(128)


def t5() -> Any:
    """T5 of 3 + 3 layers, width 384, 128 tokens on either side, with its dropout."""
    from transformers import T5Config, T5ForConditionalGeneration

    shape = T5Config(
        num_layers=3, num_decoder_layers=3, d_model=384, d_kv=64, d_ff=1024, num_heads=6, vocab_size=8192,
        decoder_start_token_id=0,
    )  # fmt: skip
    return T5ForConditionalGeneration(shape), _text(128)


def vit() -> Any:
    """ViT of 6 layers, width 384, patches of 16 in 224 x 224."""
    from transformers import ViTConfig, ViTForImageClassification

    shape = ViTConfig(
        num_hidden_layers=6, hidden_size=384, intermediate_size=1536, num_attention_heads=6, num_labels=100
    )
    return ViTForImageClassification(shape), _pictures(224)


def resnet50() -> Any:
    """ResNet-50 on 128 x 128."""
    from transformers import ResNetConfig, ResNetForImageClassification

    return ResNetForImageClassification(ResNetConfig(num_labels=100)), _pictures(128)


def convnext() -> Any:
    """ConvNeXt of 2, 2, 4, 2 blocks, width 64 to 512, on 128 x 128."""
    from transformers import ConvNextConfig, ConvNextForImageClassification

    shape = ConvNextConfig(depths=[2, 2, 4, 2], hidden_sizes=[64, 128, 256, 512], num_labels=100)
    return ConvNextForImageClassification(shape), _pictures(128)


def mobilenet() -> Any:
    """MobileNetV2 on 128 x 128."""
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification

    shape = MobileNetV2Config(image_size=128, num_labels=100)
    return MobileNetV2ForImageClassification(shape), _pictures(128)


class Denoiser(nn.Module):  # type: ignore[misc] # torch's types are not known here
    """A U-Net with the loss of noise prediction."""

    def __init__(self) -> None:
        super().__init__()
        from diffusers import UNet2DModel

        self.unet = UNet2DModel(
            sample_size=32, in_channels=4, out_channels=4, layers_per_block=1,
            block_out_channels=(64, 128, 256),
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        )  # fmt: skip

    def forward(self, noisy: Any, noise: Any) -> Any:
        """Mean squared error of the predicted noise."""
        return nn.functional.mse_loss(self.unet(noisy, 10).sample, noise)


def unet() -> Any:
    """The U-Net of diffusers, width 64 to 256, attention below the top, on latents of 32 x 32."""
    return Denoiser(), (torch.randn(2, 4, 32, 32), torch.randn(2, 4, 32, 32))


def moe() -> Any:
    """Mixtral of 2 layers, width 256, 8 experts of 512, two for each token, 128 tokens."""
    from transformers import MixtralConfig, MixtralForCausalLM

    shape = MixtralConfig(
        num_hidden_layers=2, hidden_size=256, intermediate_size=512, num_attention_heads=4,
        num_key_value_heads=2, num_local_experts=8, num_experts_per_tok=2, vocab_size=8192,
        max_position_embeddings=128,
    )  # fmt: skip
    return MixtralForCausalLM(shape), _text(128)


class Speller(nn.Module):  # type: ignore[misc]
    """Two layers of LSTM over embedded words, and a loss for each next one."""

    def __init__(self, words: int = 4096, width: int = 256, hidden: int = 512) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.lstm = nn.LSTM(width, hidden, num_layers=2, batch_first=True)
        self.head = nn.Linear(hidden, words)

    def forward(self, ids: Any, labels: Any) -> Any:
        """Cross-entropy."""
        scores = self.head(self.lstm(self.embed(ids))[0])
        return nn.functional.cross_entropy(scores.flatten(0, 1).float(), labels.flatten())


def lstm() -> Any:
    """Two layers of LSTM, hidden 512, 64 words."""
    ids = torch.randint(0, 2, (2, 64))
    return Speller(), {"ids": ids, "labels": ids.clone()}


def bart() -> Any:
    """BART of 2 + 2 layers, width 320, 96 tokens on either side, with its dropout."""
    from transformers import BartConfig, BartForConditionalGeneration

    shape = BartConfig(
        encoder_layers=2, decoder_layers=2, d_model=320, encoder_attention_heads=5, decoder_attention_heads=5,
        encoder_ffn_dim=1280, decoder_ffn_dim=1280, vocab_size=6000, max_position_embeddings=128,
    )  # fmt: skip
    return BartForConditionalGeneration(shape), _text(96)


def regnet() -> Any:
    """RegNet of 1, 2, 4, 1 blocks, width 48 to 384 in groups of 24, squeezed and excited, on 96 x 96."""
    from transformers import RegNetConfig, RegNetForImageClassification

    shape = RegNetConfig(
        embedding_size=32, hidden_sizes=[48, 96, 192, 384], depths=[1, 2, 4, 1], groups_width=24,
        layer_type="y", num_labels=100,
    )  # fmt: skip
    return RegNetForImageClassification(shape), _pictures(96)


def qwen() -> Any:
    """Qwen2 of 4 layers, width 512, eight heads over two of keys, 256 tokens."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    shape = Qwen2Config(
        num_hidden_layers=4, hidden_size=512, intermediate_size=1408, num_attention_heads=8,
        num_key_value_heads=2, vocab_size=10000, max_position_embeddings=256,
    )  # fmt: skip
    return Qwen2ForCausalLM(shape), _text(256)


def swin() -> Any:
    """Swin of 2 + 2 + 4 blocks, width 64 to 256, windows of 7, on 112 x 112."""
    from transformers import SwinConfig, SwinForImageClassification

    shape = SwinConfig(
        image_size=112, patch_size=4, embed_dim=64, depths=[2, 2, 4], num_heads=[2, 4, 8], window_size=7,
        num_labels=100,
    )  # fmt: skip
    return SwinForImageClassification(shape), _pictures(112)


def whisper() -> Any:
    """Whisper of 3 + 3 layers, width 320, 4 seconds of sound and 48 words."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    shape = WhisperConfig(
        encoder_layers=3, decoder_layers=3, d_model=320, encoder_attention_heads=5, decoder_attention_heads=5,
        encoder_ffn_dim=1280, decoder_ffn_dim=1280, vocab_size=6000, max_source_positions=200,
        max_target_positions=64, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    words = torch.randint(0, 2, (2, 48))
    return WhisperForConditionalGeneration(shape), {
        "input_features": torch.randn(2, 80, 400),
        "labels": words,
    }


def segformer() -> Any:
    """Segformer, width 32 to 256, two blocks each, on 128 x 128, a class for each point."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    shape = SegformerConfig(hidden_sizes=[32, 64, 160, 256], decoder_hidden_size=256, num_labels=20)
    points = torch.randint(0, 2, (2, 128, 128))
    return SegformerForSemanticSegmentation(shape), {
        "pixel_values": torch.randn(2, 3, 128, 128),
        "labels": points,
    }


class Tagger(nn.Module):  # type: ignore[misc]
    """Two layers of GRU in both directions over embedded words, and a class for each."""

    def __init__(self, words: int = 12000, width: int = 192, hidden: int = 320, classes: int = 48) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.gru = nn.GRU(width, hidden, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden, classes)

    def forward(self, ids: Any, labels: Any) -> Any:
        """Cross-entropy."""
        scores = self.head(self.gru(self.embed(ids))[0])
        return nn.functional.cross_entropy(scores.flatten(0, 1).float(), labels.flatten())


def gru() -> Any:
    """Two layers of GRU in both directions, hidden 320, 80 words."""
    ids = torch.randint(0, 2, (2, 80))
    return Tagger(), {"ids": ids, "labels": ids.clone()}


BATCHES = {
    "gpt_narrow": (1, 8), "bert": (1, 4), "resnet50": (2, 8), "mobilenet": (2, 16), "lstm": (4, 16),
    "gpt_wide": (1, 2), "t5": (1, 8), "vit": (1, 4), "convnext": (2, 8), "unet": (1, 4), "moe": (1, 8),
    "bart": (1, 8), "regnet": (2, 16), "qwen": (1, 4),
    "swin": (1, 8), "whisper": (1, 8), "segformer": (1, 8), "gru": (4, 16),
}  # fmt: skip
"""A small batch and a large one of each."""

LOOKED_AT = ("gpt_narrow", "bert", "resnet50", "mobilenet", "lstm")
"""Networks whose times were seen during the work."""

SEEN_ONCE = ("gpt_wide", "t5", "vit", "convnext", "unet", "moe")
"""Whose times were first looked at when the first table was made. What was mended after it (narrow heads, new
memory of the update, weights read from memory) was found on other networks of these kinds, of other sizes."""

NEW = ("bart", "regnet", "qwen")
"""Added when all was done: neither timed nor estimated before the second table."""

LAST = ("swin", "whisper", "segformer", "gru")
"""Added when what the second table showed was mended: neither timed nor estimated before the third."""
