"""The command `xmirad`: one module per command, results on standard output, everything else on standard error.

Commands are thin: they read options, call the client, the supervisor or the offline rooms, and print. Nothing heavy is
imported before a command runs, so that help and completion are quick.
"""
