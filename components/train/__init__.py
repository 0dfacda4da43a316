"""Stage: pairs in, a trained generator out. From the command to the line that changes a weight:
run.py → loop.py → step.py.
"""
