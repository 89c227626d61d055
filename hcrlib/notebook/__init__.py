"""What only notebooks use: the drawing pad and the exploration of a dataset."""
