"""What a request used and cost: prices, rating, and the record that becomes a row of the log."""
