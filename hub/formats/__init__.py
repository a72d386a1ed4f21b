"""Bounded readers of what people upload. Each raises its own FormatError and nothing else."""
