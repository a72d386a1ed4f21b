"""Django's backend for Postgres with fewer journeys to the server on every page."""
