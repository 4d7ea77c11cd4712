"""Data sets counted: tokens of text, images of folders; large ones by sample, with a range."""

from advisor.dataset.count import count_dataset
from advisor.dataset.counted import Counted
from advisor.dataset.rows import Rows
from advisor.dataset.tokens import find_tokenizer

__all__ = ["Counted", "Rows", "count_dataset", "find_tokenizer"]
