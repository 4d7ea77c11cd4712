"""Finds, reads, checks and overlays the data files; loads and saves Advice."""
