"""`python -m dbos_asyncify`."""

from dbos_asyncify.cli import main

if __name__ == "__main__":
    main(prog_name="dbos-asyncify")
