"""The report's claims, each put to the test over seeds: `make claims` writes `gmlib/weights/claims.json`."""
