"""What a Prometheus server reads at /metrics: requests, their seconds, images read."""

import os

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram, multiprocess

SECONDS = 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60  # the last ones for pages


class Metrics:
    """One server's counters; of all its processes where PROMETHEUS_MULTIPROC_DIR names the folder that they share."""

    def __init__(self):
        self.registry = CollectorRegistry()
        about = dict(registry=self.registry)
        self._requests = Counter("hcr_requests", "Requests answered", ["address", "status"], **about)
        self._seconds = Histogram("hcr_request_seconds", "Time to answer", ["address"], buckets=SECONDS, **about)
        self._images = Counter("hcr_images", "Images read", ["model"], **about)
        self._pages = Counter("hcr_pages", "Photos and PDFs of pages read", ["model"], **about)
        self._refused = Counter("hcr_overload", "Requests refused because too many waited", **about)

    def answered(self, address, status, seconds):
        """Counts a request. address: the rule, not what was asked for: there are few of them."""
        self._requests.labels(address, str(status)).inc()
        self._seconds.labels(address).observe(seconds)

    def predicted(self, model, images):
        """Counts images that a model read."""
        self._images.labels(model).inc(images)

    def read(self, model):
        """Counts a page, or the pages of a PDF, that was read with a model or a recogniser."""
        self._pages.labels(model).inc()

    def refused(self):
        """Counts a request that was refused because too many waited."""
        self._refused.inc()

    def text(self):
        """bytes in Prometheus' text format."""
        registry = self.registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)
        return prometheus_client.generate_latest(registry)
