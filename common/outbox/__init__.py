"""The outbox: answers that are sent later, kept durably until they have arrived or an operator lets them go."""
