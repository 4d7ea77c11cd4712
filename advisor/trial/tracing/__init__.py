"""The child that traces a network: torch and the standard library alone; started by path, in the user's own Python."""
