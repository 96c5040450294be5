"""Feature nets in whose eyes images are compared."""
