"""Where models answer and by whose key: one module for each platform; none of them does I/O."""
