"""The pure part of Dagy: values and the rules over them.

Nothing in this package reads a clock, draws a random number, touches a file or a network, or imports anything
but itself and the standard library. Everything else in the toolkit may import it; a linter keeps it so.
"""
