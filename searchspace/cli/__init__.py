"""Shared parts of the commands: options, values, errors, output, interruption."""
