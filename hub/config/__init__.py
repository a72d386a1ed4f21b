"""Settings, routes and entry points: names every app by string, imports none."""
