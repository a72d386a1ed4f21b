"""Runs the hub on one machine: embedded services, web, workers and proxy under one process."""

from hub.supervisor.errors import SupervisorError
from hub.supervisor.live import Session, ensure_services
from hub.supervisor.processes import Application
from hub.supervisor.services import Services
from hub.supervisor.supervise import supervise
from hub.supervisor.throwaway import throwaway_cluster, throwaway_valkey

__all__ = [
    "Application",
    "Services",
    "Session",
    "SupervisorError",
    "ensure_services",
    "supervise",
    "throwaway_cluster",
    "throwaway_valkey",
]
