"""What every listener for patient feeds does around its events: reading, answering, telling what went wrong."""
