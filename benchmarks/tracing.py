"""A trace of an 8 B decoder under fake tensors: bar 10 s on two cores. Needs torch and transformers.

`python benchmarks/tracing.py [PYTHON]`: the Python that has them, by default this one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from told import hwadvisor, process_row

BAR_S = 10.0
LLAMA_8B = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-05,
    "rope_theta": 500000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
}


def main() -> None:
    """Print the bar, or why it was not measured."""
    python = sys.argv[1] if len(sys.argv) > 1 else sys.executable
    found = subprocess.run([python, "-c", "import torch, transformers"], check=False, capture_output=True)
    if found.returncode != 0:
        print(f"not measured: {python} has no torch and transformers")
        return
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(LLAMA_8B), encoding="utf-8")
        flags = ("--model", str(config), "--trace", "--python", python, "--hardware", "nvidia-h100-sxm5-80gb")
        kept = process_row("trace of an 8 B decoder", hwadvisor("estimate", *flags, runs=2), BAR_S)
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
