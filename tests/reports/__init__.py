"""Tests of notifier.reports."""
