"""Carrying out a traced flow in one process: the same runner on a laptop and inside a Lambda function.

`runner` decides and acts, `recorder` is what it tells everything to, `attempt` is one try of one task. Where
the facts go (files and DuckDB, or a pipe to the function around it) is the recorder's business, not the
runner's.
"""
