"""Commands for people who develop the hub."""
