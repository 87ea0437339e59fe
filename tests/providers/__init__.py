"""Tests of the adapters: the same cases for each, and what is each one's own."""
