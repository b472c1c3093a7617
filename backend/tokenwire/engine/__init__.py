"""The machine: everything that touches a model. Knows nothing of sockets, users or SQL."""
