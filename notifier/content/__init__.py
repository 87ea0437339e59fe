"""Words: advisories, languages, and how a text is rendered once for all readers of a variant."""
