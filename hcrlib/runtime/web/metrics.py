"""Metrics for Prometheus, served at /metrics: requests, response times, images and pages read."""

import os

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram, multiprocess

SECONDS = 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60  # the last ones are for pages


class Metrics:
    """The counters of one process; `text` adds up those of all processes if PROMETHEUS_MULTIPROC_DIR is set."""

    def __init__(self):
        self.registry = CollectorRegistry()
        shared = dict(registry=self.registry)
        self._requests = Counter("hcr_requests", "Requests answered", ["address", "status"], **shared)
        self._seconds = Histogram("hcr_request_seconds", "Response time", ["address"], buckets=SECONDS, **shared)
        self._images = Counter("hcr_images", "Images read", ["model"], **shared)
        self._pages = Counter("hcr_pages", "Photos and PDFs of pages read", ["model"], **shared)
        self._refused = Counter("hcr_overload", "Requests refused because too many were waiting", **shared)

    def count_request(self, rule, status, seconds):
        """Count a request. rule: the route's URL rule, not the requested URL, to keep the number of labels small."""
        self._requests.labels(rule, str(status)).inc()
        self._seconds.labels(rule).observe(seconds)

    def count_images(self, model, count):
        """Count images that a model read."""
        self._images.labels(model).inc(count)

    def count_page(self, model):
        """Count a page, or a PDF, that a model or a recognizer read."""
        self._pages.labels(model).inc()

    def count_refusal(self):
        """Count a request that was refused because too many were waiting."""
        self._refused.inc()

    def text(self):
        """Return all metrics as bytes in Prometheus' text format."""
        registry = self.registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)
        return prometheus_client.generate_latest(registry)
