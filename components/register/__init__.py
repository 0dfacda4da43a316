"""From a measured checkpoint to a version in the MLflow registry that loads anywhere, and the gate
that decides what may serve.

config.py      the recipe's `register` section gate.py        a pure function from figures to a
verdict in words card.py        the model card export.py      the model folder: weights, code,
records, card; tried in a clean process model_file.py  the only file of a registered model that
knows MLflow; it runs inside the model, not here run.py         the chain of records is checked,
then the version is made, once per checkpoint
"""
