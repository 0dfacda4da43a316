"""From a measured checkpoint to a version in the MLflow registry that loads anywhere, and the gate
that decides what may serve.

config.py           the recipe's `register` section
policy.py           its `gate`: what a version must prove
gate.py             a pure function from figures to a verdict in words; the floors
champion_checks.py  the questions beside the champion
differences.py      gains over independent groups
proof.py            when a gain is proved, over a champion's life
card.py             the model card
export.py           the model folder: weights, code, records, card; tried in a clean process
model_file.py       the only file of a registered model that knows MLflow; it runs inside the model
run.py              the chain of records is checked, then the version is made, once per checkpoint
"""
