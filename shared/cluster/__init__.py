"""A network of real node processes on one machine: for the demo, the tests, the benchmarks and a provider's own tests.

`shared.cluster.network.Cluster` starts, stops, kills, parts and inspects it; `filing-cluster` does so from a terminal;
`shared.cluster.pytest_plugin` gives it to a test as the fixture `filing_cluster`. Nodes are started as programs, never
imported.
"""
