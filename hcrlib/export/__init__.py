"""Finished runs as folders that others use: bundles, and the zoo of small models."""
