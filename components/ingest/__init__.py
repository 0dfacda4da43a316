"""Stage ingest: sharp photos as found, out of a folder, a bucket or installed packages, become a
PhotoSet; so do real pairs and video.
"""
