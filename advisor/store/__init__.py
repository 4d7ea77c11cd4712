"""What was read and checked once, kept in a file of the user's own for the next process.

Reading and checking some five hundred rule and data files takes longer than all the rest of one estimate. The
file holds plain JSON and is used only by the code, Python and files it was made from, to the byte.
"""

from advisor.store.knowledge import Known, key_of, load, save

__all__ = ["Known", "key_of", "load", "save"]
