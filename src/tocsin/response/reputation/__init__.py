"""What is known of a hash, a domain, an address or a URL: own data first, then lists, then services asked."""
