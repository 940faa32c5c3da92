"""The version of Dagy, where reading it costs nothing: `importlib.metadata` takes longer than all the rest of
`dagy --version`. A test holds it equal to what the installed distribution says.
"""

VERSION = "0.1.0"
