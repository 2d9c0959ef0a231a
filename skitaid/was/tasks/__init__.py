"""What an app began and waits for, one or several: the task, the work behind it, its result, who hears of it."""
