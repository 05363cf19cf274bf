"""What a person runs by hand, by `make`; whatsapp, forgetting and review are rooms."""
