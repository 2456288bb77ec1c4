"""Put a run on one page: what was run, what came out, and how good it is."""
