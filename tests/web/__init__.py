"""Tests of notifier.web."""
