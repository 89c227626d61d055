"""Foundations: errors, paths, registries, files, random seeds, timing and provenance. Imports nothing else from hcrlib."""
