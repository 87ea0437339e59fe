"""The doors: parse, verify, call a verb, answer."""
