"""What a host needs around the page: a guard, a patient server, logs, a borrowed GPU."""
