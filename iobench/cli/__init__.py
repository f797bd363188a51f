"""One file a subcommand; the only place that prints, asks or exits."""
