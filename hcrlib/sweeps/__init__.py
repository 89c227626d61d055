"""Plans of runs from a YAML file, and the runs of such a plan."""
