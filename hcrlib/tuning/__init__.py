"""The search for hyperparameters: strategies, trials and their figures."""
