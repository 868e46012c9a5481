"""Built-ins, functions and aggregations: everything about one of them stands in its own entry."""
