"""Training for real, briefly: measured beside estimated, and kept as a record.

The child imports this package under another name, so nothing is imported here.
"""
