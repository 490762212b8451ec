"""Bank lines over HTTP: list them, match them, and decide about one. Statements come in by `myapp bank import`."""
