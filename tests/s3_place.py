"""A store on this machine, for whoever speaks S3."""

from __future__ import annotations


def s3_variables(endpoint: str) -> dict[str, str]:
    """The environment that makes boto3, DVC, Ray and MLflow use a store at `endpoint`."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
