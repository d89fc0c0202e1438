"""Tests of the exports: what is written is read back by other programs."""
