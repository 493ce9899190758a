"""Between the wire and the rules: the only modules of `shared` that know both generated types and domain types."""
