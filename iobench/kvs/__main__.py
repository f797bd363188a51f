"""`python -m iobench.kvs CONFIG.json OUT_DIR`."""

import sys

from iobench.kvs.generator import main

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
