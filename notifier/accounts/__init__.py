"""Who may use Notifier, and the record of who did what."""
