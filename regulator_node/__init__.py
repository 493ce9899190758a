"""A regulator's node: takes filings in, proves that it did, lets officers query and decide, and keeps copies true."""
