"""What the commands of the shell do; their arguments are parsed in `propto.cli`."""
