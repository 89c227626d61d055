"""Tools for notebooks: a drawing pad and the exploration of a dataset."""
