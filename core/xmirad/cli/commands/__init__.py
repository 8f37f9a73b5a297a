"""The commands, one module each. `xmirad.cli.main` puts them together."""
