"""Sets of single operators that a calibration times (advisor/bench/shapes.py has their shapes)."""

OPERATOR_SETS = {
    "products": ("Matrix products of many shapes", 3.5),
    "convolutions": ("Convolutions of many shapes", 4.5),
    "attention": ("Attention of several lengths", 2.5),
    "recurrent": ("Recurrent layers", 0.8),
    "moves": ("Operators that compute little, small and large", 4.0),
}
"""Each with its title and about how long it takes on a processor, seconds."""
