"""Hyperparameter search: strategies, trials and figures."""
