"""Read-only questions: progress, outcomes, reasons not sent, exports."""
