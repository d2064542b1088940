"""What lies here is to be examined by readers, and is no test; `make lab` leaves this file out."""

collect_ignore_glob = ["*"]
