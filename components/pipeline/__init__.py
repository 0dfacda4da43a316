"""The pipeline: its stages in order, and the project and run they work in."""
