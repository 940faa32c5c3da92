"""The commands, one module per noun or verb. Each is options, one call, output."""
