"""Generators, discriminators and feature extractors: torch only, no word of training. Pictures
inside are (N, 3, H, W) in [-1, 1].
"""
