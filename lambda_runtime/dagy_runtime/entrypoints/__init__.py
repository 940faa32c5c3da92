"""The Lambda handlers: thin, one per kind of function. Each builds its world once per process and hands over."""
