"""Tests of the stand-in for both providers."""
