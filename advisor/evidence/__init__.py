"""Published runs: read, predicted, compared; the constants of the rules fitted on them."""
