"""Dependency packages: third-party wheels as one zip, built for a stage's platform and attached to deployments.

Making: `building` has `installing` fetch the wheels, lets `choosing` say which files of them are worth shipping and
`bytecode` compile the modules, and writes the zip. `creating` brings it to a stage. Reading, on both sides: `contents`
is what a package says about itself, `reading` verifies the zip against it.
"""
