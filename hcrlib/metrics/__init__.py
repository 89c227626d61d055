"""Numbers about predictions: scores with their intervals, and the statistics that compare them."""
