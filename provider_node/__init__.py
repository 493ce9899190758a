"""The provider's node: keeps real names at home and sends category filings to regulators."""
