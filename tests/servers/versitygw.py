"""A real versitygw, the second S3 service that the store is held against."""

from __future__ import annotations

from tests.servers.process import Child, accepts, free_port, program
from tests.servers.s3 import S3Service


class VersityServer:
    """A versitygw on a free loopback port over a temporary folder; raises Unavailable when it is not installed."""

    def __init__(self) -> None:
        self._program = program("versitygw")
        self._child = Child("versitygw")
        self._port = free_port()
        self.service = S3Service(f"http://127.0.0.1:{self._port}", "xdsadmin", "xdssecret")

    def start(self) -> None:
        """Start it, or start it again after a kill, and return when it listens."""
        buckets, versions = self._child.folder / "buckets", self._child.folder / "versions"
        buckets.mkdir(exist_ok=True)
        versions.mkdir(exist_ok=True)
        address = ["--port", f"127.0.0.1:{self._port}"]
        secrets = ["--access", self.service.access_key, "--secret", self.service.secret_key]
        backend = ["posix", "--versioning-dir", str(versions), str(buckets)]
        self._child.start([self._program, *address, *secrets, "--quiet", "--keep-alive", *backend], {})
        self._child.wait_until(lambda: accepts(self._port), "versitygw listens")

    def kill(self) -> None:
        """End it as a crash would."""
        self._child.kill()

    def stop(self) -> None:
        """End it and remove its folder."""
        self._child.stop()
