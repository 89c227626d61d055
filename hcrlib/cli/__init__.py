"""The command `hcr`: one module per command or group of commands."""
