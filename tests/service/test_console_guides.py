"""The guides' commands work as they are written."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.servers.process import eventually, free_port
from tests.unit.console.running import ROOT, Place, ready

GUIDES = (
    "first-steps.md",
    "command-line.md",
    "amending.md",
    "acknowledgements.md",
    "removal-and-retention.md",
    "patient-feeds.md",
    "asynchronous.md",
    "on-demand-documents.md",
    "identity.md",
    "mutual-tls.md",
    "user-assertions.md",
    "access.md",
)
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STAYS = re.compile(r"^portolan (demo --stay|serve\b.*)$", re.MULTILINE)
_CURL = "import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1]).read())"


def listens(port: int) -> bool:
    """Whether something listens on a port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Reader:
    """Somebody who does what a guide says, at ports that are free here."""

    def __init__(self, folder: Path) -> None:
        self.feed_port, self.identity_feed_port = free_port(), free_port()
        self.place = Place(
            folder,
            PORTOLAN_REGISTRY_MLLP_BIND=f"127.0.0.1:{self.feed_port}",
            PORTOLAN_IDENTITY_MLLP_BIND=f"127.0.0.1:{self.identity_feed_port}",
        )
        tools = folder / ".tools"
        tools.mkdir()
        for name, arguments in (("portolan", "-m console"), ("python", ""), ("curl", f"-c '{_CURL}'")):
            (tools / name).write_text(f'#!/bin/sh\nexec {sys.executable} {arguments} "$@"\n')
            (tools / name).chmod(0o755)
        self.place.environ["PATH"] = f"{tools}:{self.place.environ['PATH']}"

    def here(self, text: str) -> str:
        """The text with our ports for the usual ones."""
        place = self.place
        ports = {"8010": place.registry_port, "8020": place.repository_port, "8070": place.identity_port}
        ports |= {"8060": self.feed_port, "8071": self.identity_feed_port}
        text = re.sub(r'"127\.0\.0\.1", (8060|8071)', lambda found: f'"127.0.0.1", {ports[found[1]]}', text)
        return re.sub(r"127\.0\.0\.1:(8010|8020|8070)", lambda found: f"127.0.0.1:{ports[found[1]]}", text)

    def do(self, kind: str, text: str) -> None:
        """Run a block to its end."""
        command = ["/bin/sh", "-euc", text] if kind == "sh" else [sys.executable, "-c", text]
        done = subprocess.run(
            command, cwd=self.place.folder, env=self.place.environ, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr

    @contextmanager
    def running(self, command: str) -> Iterator[None]:
        """A command that stays, while the rest of the guide is read."""
        process = self.place.start(*command.split()[1:])
        try:
            addresses = [self.place.registry, self.place.repository]
            if "identity" in command:
                addresses.append(self.place.identity)
                eventually(lambda: listens(self.identity_feed_port) or process.poll() is not None, "the feed")
            for address in addresses:
                eventually(lambda address=address: ready(address) or process.poll() is not None, address)
            assert process.poll() is None
            yield
        finally:
            process.terminate()
            process.communicate(timeout=40)
        assert process.returncode == 0


@pytest.mark.parametrize("name", GUIDES)
def test_every_command_of_a_guide_works(name: str, tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    blocks = _BLOCK.findall((ROOT / "docs/guide" / name).read_text(encoding="utf-8"))
    assert blocks
    with ExitStack() as stack:
        for kind, text in blocks:
            reader.do(kind, reader.here(_STAYS.sub("", text)))
            for found in _STAYS.finditer(text):
                stack.enter_context(reader.running(found[0]))


@pytest.mark.parametrize("name", GUIDES)
def test_the_links_of_a_guide_lead_somewhere(name: str) -> None:
    guide = ROOT / "docs/guide" / name

    links = re.findall(r"\]\(([^)#:]+)\)", guide.read_text(encoding="utf-8"))

    assert [link for link in links if not (guide.parent / link).exists()] == []
