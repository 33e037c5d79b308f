"""``python -m gencodec`` is the command ``gencodec``."""

from .cli import main

if __name__ == "__main__":
    main()
