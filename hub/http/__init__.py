"""What every door of the hub shares: routes, authentication, middleware, refusals."""
