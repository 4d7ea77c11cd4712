"""Sets of single operators that a calibration times (advisor/bench/shapes.py has their shapes)."""

OPERATOR_SETS = {
    "products": ("Matrix products of many shapes", {"coarse": 0.6, "full": 5.0}),
    "convolutions": ("Convolutions of many shapes", {"coarse": 1.4, "full": 7.0}),
    "attention": ("Attention of several lengths", {"coarse": 0.5, "full": 5.0}),
    "recurrent": ("Recurrent layers", {"coarse": 0.4, "full": 3.0}),
    "moves": ("Operators that compute little, small and large", {"coarse": 1.6, "full": 6.0}),
}
"""Each with its title and about how long it takes on a processor, seconds, by grid."""
GRIDS = {"default": "coarse", "thorough": "full"}
"""The grid of each mode; a quick calibration times no single operators."""
