"""Words that the settings of several nets choose between, or of whatever runs them."""

from __future__ import annotations

from typing import Literal

# Both dialects: PyTorch's, and Keras' as the seeds' guides use it.
Padding = Literal["torch", "keras"]
First = Literal["normal", "he", "glorot"]  # how the weights begin
Upsampling = Literal["transposed", "nearest", "bilinear", "pixel_shuffle"]
# How a generator's body and its photo are joined.
Head = Literal["clamped_residual", "direct", "added_residual", "seed_blend", "seed_blend_half"]
# Which of a discriminator's convolutions have a bias.
Bias = Literal["all", "ends", "last"]
Skips = Literal["add", "concat"]
# In which arithmetic a net computes; what each is stands in nets/precision.py.
Precision = Literal["fp32", "tf32", "bf16"]
