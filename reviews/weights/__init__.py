"""What is inside checkpoints: reading, comparing and merging tensors. Plain Python over numpy."""
