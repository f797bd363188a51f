"""iobench: storage benchmarks that carry the evidence that they are true."""

__version__ = "0.1.0"
SCHEMA_VERSION = 1
