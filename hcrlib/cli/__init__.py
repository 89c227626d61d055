"""The command `hcr`: one module a command or group of commands."""
