"""The demonstration: two services, six letters, and what became of them."""
