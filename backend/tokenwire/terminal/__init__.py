"""The terminal: a client of a running server, for a person and for scripts. No server in it."""
