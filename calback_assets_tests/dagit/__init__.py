"""Tests of Dagit and its daemon on our workspace, as processes of their own."""
