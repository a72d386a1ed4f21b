"""Fills the hub's registries and listens to its events."""


def connect() -> None:
    """Called once, when Django has loaded every app."""
