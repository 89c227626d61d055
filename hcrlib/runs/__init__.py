"""From a configuration to a record: resolve, train, measure, store, load and repeat runs."""
