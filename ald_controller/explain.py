"""What the interlocks would do with values that a person types, or did at a moment of a past run. Pure."""
