"""Numbers to findings: statistics, comparison, claims."""
