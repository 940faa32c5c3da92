"""Signing in through the browser, as RFC 8252 wants native programs to: the system's browser, a loopback address, PKCE.

`flow` is the whole of it; what it is made of: `callback` listens, `answers` reads what arrives, `pages` is what the
browser ends on, `exchange` makes a token of a code, `browser` opens the browser, `claims` reads a token's own words.
"""
