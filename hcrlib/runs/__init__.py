"""Turn configurations into records: resolve, train, measure, store, load and repeat runs."""
