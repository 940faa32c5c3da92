"""The HTTP API: a table of routes over plain functions. Framework, wire format and errors are each in one file."""
