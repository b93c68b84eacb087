"""How a region of an account is collected: window, rows, results, shared reads."""
