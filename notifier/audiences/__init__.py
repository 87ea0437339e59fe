"""Who may be told and who must not: contact lists, addresses, consent, suppressions."""
