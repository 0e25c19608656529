"""The towers: the table of CLIPs, how each is loaded and checked, and the built-in model."""
