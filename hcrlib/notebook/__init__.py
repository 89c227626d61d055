"""Tools for notebooks: a drawing pad, tables and the exploration of a dataset."""
