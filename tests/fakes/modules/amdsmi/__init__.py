"""An amdsmi that is importable, which is all that torch on ROCm needs to go astray."""
