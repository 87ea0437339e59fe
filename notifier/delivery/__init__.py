"""One message to one address on one channel: planned, claimed, handed over, recorded."""
