"""Benchmarks: the product's paths run at size, each beside its floor. Runs with figures, never timed tests.

A floor does what cannot be left out (the same bytes to the same sink, the same rows written) and nothing else, in the
same run on the same machine; the ratio of the two is what the product's logic costs.
"""
