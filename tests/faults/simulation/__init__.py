"""A network of real nodes in one thread, run by one seed: the same seed is the same run, byte for byte.

Real are the rules, use cases, outbox, delivery, intake, logs, replication, witnessing, directives, finality, the
database's group commit and SQL. Simulated is what chance governs: time (`virtual_time`), the network (`wire`), disks and
crashes (`disks`, `lives`), and what people do (`people`). At the end everything heals, and what was acknowledged has to be
where it belongs (`checks`).

    python -m tests.faults.simulation --seed 4711 --trace
"""
