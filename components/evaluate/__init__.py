"""Stage 4: measure a checkpoint, and doing nothing, on test photos it never saw. Refocus believes
no gain that was not measured here.
"""
