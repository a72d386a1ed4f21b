"""The benchmarks that come with the hub: read from their folder, ready to be imported."""
