"""The engine room: loops and ticks that call the rooms' verbs; no policy of its own."""
