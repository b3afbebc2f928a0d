"""What this computer does in time, measured and printed; nothing here passes or fails. See docs/bench.md."""
