"""Fuzzing of every parser that reads bytes from outside: `make fuzz`, and for seconds in `make test`."""
