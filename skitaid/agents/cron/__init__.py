"""The crontab: which jobs there are, when they run, and running them."""
