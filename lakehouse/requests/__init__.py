"""What people may ask for: to be erased, and to see what is known of them. Found, erased, purged, proved."""
