"""Workers on a Ray cluster: each holds an engine, and a driver hands work out to them."""
