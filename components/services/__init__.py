"""The outside services, each behind one door: MLflow (tracking), DVC and git (versioning), Ray
(cluster), S3 (storage).
"""
