"""How a sharp photo becomes what a camera gives: blur, size, sensor, file. Nothing here reads or
writes files, or knows of stages.
"""
