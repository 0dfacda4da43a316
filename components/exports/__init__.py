"""Exported files of a checkpoint, each with the proof that it is still the same model.

parity.py    how far a file is from the checkpoint on the test pairs, and what that costs
made.py      the files of a recipe's `register.formats`, or those that a person asks for
"""
