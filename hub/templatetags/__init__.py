"""Template tags: numbers, marks, charts, rendered text."""
