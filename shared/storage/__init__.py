"""How a database is reached: one contract, two engines. Use it through `shared.database`."""
