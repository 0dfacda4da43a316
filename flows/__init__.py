"""When things happen: the whole run in order (steps.py), under Prefect (retrain.py, promote.py),
and where it happens (workspace.py).
"""
