"""Export finished runs as folders for others: bundles, and the zoo of small models."""
