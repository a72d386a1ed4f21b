"""Measurements beside a named peer, both taken in the same run on the same machine."""
