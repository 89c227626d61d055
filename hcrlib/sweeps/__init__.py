"""Plan runs from a YAML file, and make them."""
