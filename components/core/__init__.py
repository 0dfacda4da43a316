"""What flows between stages: records, errors, pictures, seeds, files. Needs pydantic, numpy and the
picture codecs, nothing of ours.
"""
