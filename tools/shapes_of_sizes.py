"""How wide and deep decoders of a size are: `python tools/shapes_of_sizes.py` prints the constants of
rules/families/size_only.toml, fitted on the shipped decoder presets (log-linear; 10th and 90th percentile
of the residuals as the range)."""

from __future__ import annotations

import numpy as np

from advisor.data.catalogue import load_catalogue
from advisor.data.files import shipped
from advisor.estimate import Table, evaluate
from advisor.rulebook import load_book


def main() -> None:
    """Print exponent, scale and range of each."""
    catalogue, book = load_catalogue(), load_book([shipped("rules")])
    models = [model for model in catalogue.models.values() if model.family == "decoder"]
    rows = [
        {
            "family": "decoder", "method": "full", "seq_len": 1.0, "micro_batch": 1.0, "precision": "bf16",
            "vendor": "nvidia", "hw_peak_fp16": 1.0, "hw_peak_bf16": 1.0, "devices": 1.0, **model.numbers,
        }
        for model in models
    ]  # fmt: skip
    table = evaluate(
        book, Table.from_rows(book, rows), ["params", "layer_params", "layer_activation_bytes"]
    ).columns
    adapted = {
        name: evaluate(
            book,
            Table.from_rows(book, [{**row, "method": "lora", "lora_rank": 1.0, **told} for row in rows]),
            ["lora_params", "layer_activation_bytes"],
        ).columns
        for name, told in (("all", {}), ("attention", {"adapted_attention": 1.0}))
    }
    hidden = table["hidden"]
    block = table["layer_activation_bytes"] / 2  # numbers of 16 bit
    shapes = {
        "size_width": hidden,
        "size_residual": hidden * table["layers"],
        "size_kept": block * table["layers"],
        "size_block": block,
        "size_block_params": table["layer_params"],
        "size_adapters": adapted["all"]["lora_params"],
        "size_adapters_attention": adapted["attention"]["lora_params"],
        "size_kept_adapted": adapted["all"]["layer_activation_bytes"] / 2 * table["layers"],
    }
    size = np.log(table["params"])
    for name, values in shapes.items():
        exponent, scale = np.polyfit(size, np.log(values), 1)
        low, high = np.exp(np.quantile(np.log(values) - scale - exponent * size, [0.1, 0.9]))
        scaled = np.exp(scale + exponent * np.log(1e9))
        spread = f"{scaled * low:.4g} to {scaled * high:.4g}"
        print(f"{name:18} exponent {exponent:.3f}, at 1e9 {scaled:.4g} ({spread})")
    print(f"vocab, 10th, 50th, 90th of {len(models)}: {np.quantile(table['vocab'], [0.1, 0.5, 0.9])}")


if __name__ == "__main__":
    main()
