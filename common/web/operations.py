"""What those who run a service look at: ``/live``, ``/ready``, ``/metrics``."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from common.observe import metrics
from common.observe.health import Health


def operations(health: Health, *, with_metrics: bool) -> Blueprint:
    """The routes; none of them shows patient data or addresses."""
    made = Blueprint("operations", __name__)

    @made.get("/live")
    def live() -> Response:
        """200 while the process runs."""
        return Response("live\n", content_type="text/plain; charset=UTF-8")

    @made.get("/ready")
    def ready() -> tuple[Response, int]:
        """200 while everything that a request needs works, else 503 and what does not."""
        good, checks = health.ready()
        return jsonify({"ready": good, "checks": checks}), 200 if good else 503

    if with_metrics:

        @made.get("/metrics")
        def measured() -> Response:
            """Prometheus text format."""
            return Response(metrics.render(), content_type=metrics.CONTENT_TYPE)

    return made
