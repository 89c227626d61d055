"""Tools for notebooks: a drawing pad, sliders, tables, the exploration of a dataset, and the contents of a folder."""
