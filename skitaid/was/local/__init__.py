"""Work that this machine does: functions in threads and in processes, and commands."""
