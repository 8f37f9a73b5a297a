"""What is measured: one suite a module, a generator of figures that is given a `Run`."""
