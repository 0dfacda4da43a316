"""The arithmetic of the losses, in torch: what the kinds of ../adversarial and ../content build.

Logits have any shape; photos are (N, 3, H, W) in [-1, 1]. Every loss is a mean over the batch, so a
batch of two equals the mean of two batches of one; only the relativistic loss looks at each photo
beside the batch's mean, over all workers together.
"""
