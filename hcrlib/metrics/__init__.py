"""Metrics of predictions: scores with confidence intervals, and statistics that compare them."""
