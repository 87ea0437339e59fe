"""What providers and recipients told us, stored once and applied in order of meaning."""
