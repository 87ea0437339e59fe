"""Tests of notifier.tracking."""
