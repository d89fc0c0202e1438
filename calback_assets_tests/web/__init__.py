"""Tests of the guard before Dagster's web application, over real sockets; a page in a browser is in `dagit`."""
