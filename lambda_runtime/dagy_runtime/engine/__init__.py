"""How runs are submitted, advanced, finished, cancelled and rescued. Knows ports only, so it runs unchanged on
memory and on AWS.
"""
