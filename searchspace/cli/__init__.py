"""What the commands share: options, values, errors, output, interruption."""
