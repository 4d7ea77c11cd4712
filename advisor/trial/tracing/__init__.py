"""What runs in the child of a trace: torch and the standard library alone, in the user's own Python."""
