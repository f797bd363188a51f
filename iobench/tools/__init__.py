"""One file an outside program: how to ask it, and a pure parser of what it says."""
