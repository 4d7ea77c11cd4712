"""What network is meant: from a Hugging Face config.json, read without its library or any network access."""

from advisor.model.find import find_config
from advisor.model.hf_config import ARCHITECTURES, parse_hf_config, read_hf_config
from advisor.model.names import Named, preset_of
from advisor.model.size import model_of_size

__all__ = [
    "ARCHITECTURES",
    "Named",
    "find_config",
    "model_of_size",
    "parse_hf_config",
    "preset_of",
    "read_hf_config",
]
