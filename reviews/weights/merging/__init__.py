"""Merging models: formulas, recipes, the conditions for averaging, and the carrying out."""
