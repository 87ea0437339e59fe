"""Notifier sends child-safety advisories by email and SMS, in every family's language, once to each address."""

__version__ = "0.1.0"
