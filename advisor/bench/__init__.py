"""What runs in the child: timing, and one function per bench. Standard library and torch alone.

Started by path (`python …/advisor/bench`), under any Python from 3.9 on, so that the figures are those of the
user's own environment. It imports nothing of the rest of hwadvisor and speaks JSON lines (see __main__).
"""
