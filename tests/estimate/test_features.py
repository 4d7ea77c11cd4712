"""What a user's row and a published run's row look like to neighbours: the same for the same work."""

from __future__ import annotations

import numpy as np

from advisor.data.files import shipped
from advisor.estimate import Table, evaluate
from advisor.estimate.features import QUANTITIES, sizes_of, words_of
from advisor.neighbours import SIZES
from advisor.rulebook import load_book

BOOK = load_book([shipped("rules")])
RUN = {
    "family": "decoder", "layers": 32, "hidden": 4096, "heads": 32, "kv_heads": 8, "head_dim": 128,
    "ffn_hidden": 14336, "ffn_matrices": 3, "vocab": 128256, "tied": 0, "positions": 0, "qkv_bias": 0,
    "linear_bias": 0, "norm_vectors": 1, "token_types": 0, "pooler": 0, "classes": 0, "seq_len": 4096,
    "global_batch": 64, "micro_batch": 1, "devices": 8, "samples": 1, "precision": "bf16_mixed",
    "optimizer": "adamw", "stack": "torch", "effort": "ordinary",
}  # fmt: skip


def sizes(*rows: dict[str, object]) -> np.ndarray:
    table = Table.from_rows(BOOK, [{**RUN, **row} for row in rows])
    return sizes_of(evaluate(BOOK, table, QUANTITIES, keep_all=False))


def test_what_a_run_leaves_unsaid_moves_it_no_further_away() -> None:
    """Rows that say nothing of recomputation stood 160 units apart from everybody who does."""
    said, unsaid = sizes({"method": "full", "recompute": "none"}, {"method": "full"})
    np.testing.assert_allclose(said, unsaid)
    assert said[SIZES.index("work")] > 40


def test_who_says_no_year_trains_today() -> None:
    unsaid, past = sizes({"method": "full"}, {"method": "full", "era": 2021.0})
    era = SIZES.index("era")
    assert unsaid[era] > 5
    assert past[era] == 1.0


def test_pre_training_is_the_work_of_training_all_weights() -> None:
    """Published runs of either are read as the same; a user's word may not set him apart from all of them."""
    table = Table.from_rows(BOOK, [{**RUN, "method": method} for method in ("pretrain", "full", "lora")])
    words = words_of(table, [""] * 3, [""] * 3, [""] * 3)
    assert list(words["method"]) == ["full", "full", "lora"]
