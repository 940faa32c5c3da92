"""What runs inside a stage: the API, the engine that advances runs, the worker that executes user code, and the
adapters to AWS.

Read `ports` first: it states what the engine and the API need of the world. `adapters` keep those promises,
`entrypoints` are the Lambda handlers that put the two together.
"""
