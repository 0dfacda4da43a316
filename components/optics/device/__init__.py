"""The second renderer: batches of parts of pictures by torch, on a GPU or on the processor, held to
what the first one makes.
"""
