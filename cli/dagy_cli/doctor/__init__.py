"""What `dagy doctor` looks at: this machine (`machine`), the tools that provisioning needs (`tools`), and what the
profile in force points to (`stage`). Each check gives findings, and none changes anything.
"""
