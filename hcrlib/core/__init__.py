"""The ground floor: errors, paths, registries, files, random seeds, timing and provenance. Imports nothing else of hcrlib."""
