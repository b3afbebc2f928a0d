"""Simulated devices of a whole tool over one plant. Nothing here is shared with the daemon or its drivers but bytes."""
