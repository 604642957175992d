"""One file an output; all are made from the same findings and changes."""
