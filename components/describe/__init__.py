"""The structure of a recipe's nets: layer tables, structure diagrams, what trains them. `refocus
describe RECIPE`; no weights, no photos, no network.
"""
