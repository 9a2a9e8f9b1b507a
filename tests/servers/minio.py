"""A real MinIO."""

from __future__ import annotations

import urllib.error
import urllib.request

from tests.servers.process import Child, free_port, program
from tests.servers.s3 import S3Service


class MinioServer:
    """A MinIO on a free loopback port; raises Unavailable when it is not installed."""

    def __init__(self) -> None:
        self._program = program("minio")
        self._child = Child("minio")
        self._port = free_port()
        self.service = S3Service(f"http://127.0.0.1:{self._port}", "xdsadmin", "xdssecret")

    def start(self) -> None:
        """Start it, or start it again after a kill, and return when it is ready."""
        data = self._child.folder / "data"
        command = [self._program, "server", str(data), "--address", f"127.0.0.1:{self._port}", "--quiet", "--anonymous"]
        self._child.start(
            command,
            {
                "MINIO_ROOT_USER": self.service.access_key,
                "MINIO_ROOT_PASSWORD": self.service.secret_key,
                "MINIO_BROWSER": "off",
                "MINIO_UPDATE": "off",
            },
        )
        self._child.wait_until(self._is_ready, "MinIO is ready")

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.service.endpoint}/minio/health/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """End it as a crash would."""
        self._child.kill()

    def stop(self) -> None:
        """End it and remove its folder."""
        self._child.stop()
