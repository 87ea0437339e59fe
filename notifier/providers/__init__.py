"""The outside world, one file per supplier: send, verify what comes back, and read it."""
