"""One servicer for each service of the contract: messages in, calls, messages out, and nothing else."""
