"""A server of MLLP for any service: it knows blocks and connections, and neither what messages mean nor any SQL."""

from common.mllp.server import BACKLOG, Handler, Listening, MllpServer

__all__ = ["BACKLOG", "Handler", "Listening", "MllpServer"]
