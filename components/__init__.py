"""Refocus: from photos to a promoted image-restoration model. The table of contents is
components/pipeline/stages.py and dvc.yaml.
"""
