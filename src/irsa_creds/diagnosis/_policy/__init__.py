"""IAM policies: parsed, and evaluated in three-valued logic as IAM does."""
