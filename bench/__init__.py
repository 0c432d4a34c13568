"""What is proved at full size, and measured. Each module is a command: `python -m bench.NAME`."""
