"""Each database done right: how it is connected, what a unit of work says at its beginning, what it may wait for."""
