"""Reasons why the hub's parts cannot start, each naming its cause and its remedy."""

from hub.errors import StorageUnavailableError


class SupervisorError(StorageUnavailableError):
    """A part of the hub cannot start or did not stay up."""


class AlreadyRunningError(SupervisorError):
    """Another process holds the data folder."""


class PortInUseError(SupervisorError):
    """Another program listens where the hub would."""


class ProgramMissingError(SupervisorError):
    """A program that the hub starts is not on this machine."""


class DatabaseVersionError(SupervisorError):
    """The data folder was written by another major version of PostgreSQL."""


class ChildEndedError(SupervisorError):
    """A child process ended too often, or before it was ready."""
