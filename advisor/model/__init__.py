"""What network is meant: from a Hugging Face config.json, read without its library or any network access."""

from advisor.model.hf_config import ARCHITECTURES, parse_hf_config, read_hf_config

__all__ = ["ARCHITECTURES", "parse_hf_config", "read_hf_config"]
