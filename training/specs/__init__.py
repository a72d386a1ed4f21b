"""Recipe, benchmark and gate files: what people write, checked, frozen and named by a digest."""
