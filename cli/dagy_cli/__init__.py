"""The `dagy` command: click commands, one module per noun, loaded only when used."""
