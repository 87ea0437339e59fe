"""Tools that do not know what a campaign is."""
