"""Documents that the product makes itself: pages as PDF. Nothing here knows what they are about."""
