"""What the commands are told: flags, environment, events, files."""
