"""Versions and recipes side by side: what they score on the pairs they share, which settings differ,
how their pictures look.
"""
