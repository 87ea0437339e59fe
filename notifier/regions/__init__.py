"""Facts about places: time zones, languages and whom to call there. It knows numbers, never words."""
