"""The load generator for key-value stores: a program of its own, `python -m iobench.kvs CONFIG.json OUT_DIR`.

`config.py` says what it is asked, `result.py` what it answers. The engine starts it like any other tool. It exits
with 0 when it has done its work (whatever the server answered is counted in the result) and with 4 when it could not;
OUT_DIR/result.json is written in both cases, with the reason under "failure".
"""
