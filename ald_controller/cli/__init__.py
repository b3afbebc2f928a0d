"""The commands that a person types. Exit codes: 0 done, 1 refused or found wrong, 2 used wrongly, 3 nobody answers."""
