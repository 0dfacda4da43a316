"""S3 as Ray keeps states there, asked again for minutes: a store may be restarted in mid-training."""

from __future__ import annotations

import os
from typing import Any

from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

from components.services.storage import ENDPOINTS

ATTEMPTS = 12  # with pauses that grow to 20 s: some two minutes
CONNECT_SECONDS = 5.0


class PatientS3(S3FileSystem):  # type: ignore[misc]
    """The store of this process's AWS_ variables. pyarrow's own class forgets on its way to a worker how
    patient it was made, and takes the endpoint along from the machine that it was made on.
    """

    def __init__(self) -> None:
        super().__init__(
            endpoint_override=next((value for name in ENDPOINTS if (value := os.environ.get(name))), None),
            retry_strategy=AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
            connect_timeout=CONNECT_SECONDS,
        )

    def __reduce__(self) -> Any:
        return type(self), ()
